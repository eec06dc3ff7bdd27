"""What decides on the language of a page, in which order."""

import pytest

from tests.web.conftest import PASSWORD, Site, Start
from tests.web.language.switch import ADA, CZECH, ENGLISH, GERMAN, choose, organisation_speaks, speaks, spoken


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("cs", "cs"),
        ("cs-CZ,cs;q=0.9,en;q=0.8", "cs"),
        ("cs-CZ,en;q=0.5", "cs"),
        ("CS-cz,en;q=0.5", "cs"),
        ("en-US,cs;q=0.8", "en"),
        ("en-GB,en;q=0.9,cs;q=0.2", "en"),
        ("sk,de;q=0.8,cs;q=0.1", "cs"),
        ("CS", "cs"),
        ("cs;q=0", "en"),
        ("de-AT,de;q=0.9", "en"),
        ("*", "en"),
        ("", "en"),
        (";;;,,=", "en"),
        ("x" * 5000, "en"),
    ],
)
def test_accept_language_chooses_the_first_supported_language(site: Site, wanted: str, language: str) -> None:
    assert spoken(site.browser().send("/login", headers={"Accept-Language": wanted})) == language


def test_the_language_switch_overrides_accept_language(site: Site) -> None:
    browser = site.browser()
    assert spoken(browser.send("/login", headers=ENGLISH)) == "en"
    choose(browser, "cs")
    assert spoken(browser.send("/login", headers=ENGLISH)) == "cs"
    choose(browser, "en")
    assert spoken(browser.send("/login", headers=CZECH)) == "en"


def test_the_customers_language_overrides_the_switch(site: Site) -> None:
    browser = site.customer(ADA)
    choose(browser, "cs", on="/account")
    other = site.browser()
    choose(other, "en")
    assert spoken(other.send("/login", headers=ENGLISH)) == "en"
    other.sign_in(ADA, PASSWORD)
    assert spoken(other.send("/account", headers=ENGLISH)) == "cs"

    other.sign_out()
    assert spoken(other.send("/login", headers=CZECH)) == "en"


def test_accept_language_applies_when_the_customers_language_is_not_supported(site: Site) -> None:
    browser = site.customer(ADA)
    speaks(site, "de-AT")
    assert spoken(browser.send("/account", headers=CZECH)) == "cs"
    assert spoken(browser.send("/account", headers=ENGLISH)) == "en"
    speaks(site, "cs-CZ")
    assert spoken(browser.send("/account", headers=ENGLISH)) == "cs"


def test_the_organisations_language_is_the_fallback(site: Site) -> None:
    organisation_speaks(site, "cs")
    browser = site.browser()
    assert spoken(browser.send("/login", headers=GERMAN)) == "cs"
    assert spoken(browser.send("/login", headers=ENGLISH)) == "en"
    choose(browser, "en")
    assert spoken(browser.send("/login", headers=GERMAN)) == "en"


def test_vary_names_the_headers_that_an_answer_depends_on(site: Site) -> None:
    for path in ("/login", "/nothing-here", "/account"):
        vary = {name.strip() for name in site.browser().send(path).headers["Vary"].split(",")}
        assert "Cookie" in vary
        assert ("Accept-Language" in vary) == (path != "/account"), "a redirect says nothing"
    assert "Content-Language" not in site.browser().send("/healthz").headers


@pytest.mark.parametrize("email", [ADA, "nobody@example.com"])
def test_the_language_of_a_customer_is_not_revealed_before_signing_in(site: Site, email: str) -> None:
    choose(site.customer(ADA), "cs", on="/account")
    stranger = site.browser()
    assert spoken(stranger.sign_in(email, "five wrong geese honk")) == "en"
    assert spoken(stranger.follow(stranger.ask_for_reset(email))) == "en"
    assert spoken(stranger.follow(stranger.fill("/login/link", {"email": email}))) == "en"


def test_errors_dates_and_plurals_are_translated(start: Start) -> None:
    site = start(PASSWORD_MIN_LENGTH="12")
    browser = site.browser()
    choose(browser, "cs")
    missing = browser.open("/nothing-here")
    assert missing.title == "Stránka nenalezena · Customer portal"
    register = browser.open("/register")
    assert "Alespoň 12 znaků." in register.words
    refused = browser.post(register.form(), {"email": "x", "password": "abc", "first_name": "x" * 256})
    assert refused.title.startswith("Chyba: ")
    assert ("first_name", "Jméno: použijte nejvýše 255 znaků.") in refused.problems
    short = browser.register(ADA, "abc")
    assert short.problems == [("password", "Heslo musí mít alespoň 12 znaků.")]


def test_without_a_database_the_switch_still_chooses_the_language(site: Site) -> None:
    browser = site.customer(ADA)
    browser.set_cookie("cs", "language")
    with site.context.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE identity RENAME TO gone")
    page = browser.send("/account")
    assert page.status == 503
    assert spoken(page) == "cs"
    assert "Hned jsme zpět" in page.words
