"""The language of a page, and how a visitor chooses another."""

from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from sqlalchemy import update

from portal.storage.models import Contact, Organisation
from tests.web.browser import Browser, Form, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_headers
from tests.web.post import html_of, text_of

ADA = "ada@example.com"
CZECH = {"Accept-Language": "cs-CZ,cs;q=0.9,en;q=0.8"}
ENGLISH = {"Accept-Language": "en-GB,en;q=0.9,cs;q=0.2"}
GERMAN = {"Accept-Language": "de-AT,de;q=0.9"}


def spoken(page: Page) -> str:
    """The language of a page; its markup and its headers must agree."""
    language = page.tree.one("html").get("lang")
    assert page.headers.getlist("Content-Language") == [language]
    assert page.tree.one("html").get("dir") == "ltr"
    return language


def switch_of(page: Page) -> Form:
    (form,) = (form for form in page.forms if form.action == "/language" and form.fields["next"])
    return form


def choose(browser: Browser, tag: str, *, on: str = "/login") -> Page:
    """Press a button of the switch on a page; the answer."""
    return browser.post(switch_of(browser.open(on)), {"locale": tag})


def organisation_speaks(site: Site, tag: str | None) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(locale=tag))


# The order of choice.


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("cs", "cs"),
        ("cs-CZ,cs;q=0.9,en;q=0.8", "cs"),
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


# The switch.


def test_the_switch_names_each_language_in_itself_and_marks_the_current_one(site: Site) -> None:
    form = site.browser().send("/login", headers=CZECH).tree.one("footer").one("form", action="/language")
    assert form.get("aria-label") == "Jazyk"
    (current,) = form.all("span")
    assert (current.text, current.get("lang"), current.get("aria-current")) == ("Čeština", "cs", "true")
    other = form.one("button", value="en")
    assert (other.text, other.get("lang"), other.get("name"), other.get("value")) == ("English", "en", "locale", "en")
    assert form.one("input", name="csrf_token").get("value")


@pytest.mark.parametrize("path", ["/login?next=%2Faccount%3Fa%3Db%26c", "/register?ref=" + "A" * 16, "/nothing/%C5%A1"])
def test_the_switch_returns_to_the_same_page_with_its_query(site: Site, path: str) -> None:
    browser = site.browser()
    assert choose(browser, "cs", on=path).location == path
    assert spoken(browser.send(path)) == "cs"


def test_the_switch_returns_to_the_page_of_an_emailed_link_which_stays_valid(site: Site) -> None:
    browser = site.browser()
    browser.register(ADA, PASSWORD)
    link = site.link(ADA)
    answer = choose(browser, "cs", on=link)
    assert answer.location == link
    page = browser.follow(answer)
    assert spoken(page) == "cs"
    assert browser.post(page.form()).status == 302


def test_after_a_form_with_errors_the_switch_returns_to_the_form(site: Site) -> None:
    browser = site.browser()
    page = browser.fill("/login?next=/account/password", {"email": "", "password": ""})
    assert page.status == 422
    answer = browser.post(switch_of(page), {"locale": "cs"})
    assert browser.follow(answer).form().fields["next"] == "/account/password"
    browser.register(ADA, PASSWORD)
    too_often = page
    while too_often.status != 429:
        too_often = browser.fill("/register/code", submit_to="/register/resend")
    assert switch_of(too_often).fields["next"] == "/register/code"


def test_the_switch_returns_to_the_sign_out_page(site: Site) -> None:
    logout = site.customer(ADA).fill("/account", {"csrf_token": "x"}, submit_to="/logout")
    assert switch_of(logout).fields["next"] == "/logout"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:1", "", None]
)
def test_the_switch_never_redirects_to_another_site(site: Site, target: str | None) -> None:
    browser = site.browser()
    form = switch_of(browser.open("/login"))
    assert browser.post(form, {"locale": "cs", "next": target}).location == "/"
    assert spoken(browser.open("/login")) == "cs"


@pytest.mark.parametrize("tag", ["de", "xx", "", "CS", "cs-CZ", "../../cs", "\0", "a" * 3000, None])
def test_an_unsupported_language_changes_nothing_and_the_others_are_offered(site: Site, tag: str | None) -> None:
    browser = site.browser()
    answer = browser.post(switch_of(browser.open("/register")), {"locale": tag})
    assert answer.status == 422
    assert answer.problems == [("", "We don't speak this language yet. Please choose one of these.")]
    assert "language" not in "".join(answer.headers.getlist("Set-Cookie"))
    for form in answer.forms:
        assert form.fields["next"] == "/register"
    answer = browser.post(answer.form(), {"locale": "cs"})
    assert answer.location == "/register"
    assert spoken(browser.open("/register")) == "cs"


def test_a_switch_with_an_expired_token_changes_nothing_and_is_offered_again(site: Site) -> None:
    browser = site.browser()
    stale = browser.post(switch_of(browser.open("/register")), {"locale": "cs", "csrf_token": "x"})
    assert stale.status == 400
    assert spoken(browser.open("/register")) == "en"
    assert browser.post(stale.form(), {"locale": "cs"}).location == "/register"
    assert spoken(browser.open("/register")) == "cs"


def test_a_field_sent_twice_is_refused(site: Site) -> None:
    browser = site.browser()
    form = switch_of(browser.open("/login"))
    answer = browser.send(
        "/language", "POST", data={"csrf_token": form.token, "next": "/login", "locale": ["cs", "en"]}
    )
    assert answer.status == 422
    assert spoken(browser.open("/login")) == "en"


def test_a_get_of_the_switch_returns_to_its_page(site: Site) -> None:
    assert site.browser().send("/language?next=/register").location == "/register"
    assert site.browser().send("/language?next=//evil.example").location == "/"


# The cookie.


@pytest.mark.parametrize(
    ("base_url", "name"), [("http://127.0.0.1:5000", "language"), ("https://portal.example.com", "__Host-language")]
)
def test_the_language_cookie_lasts_a_year_with_the_usual_attributes(start: Start, base_url: str, name: str) -> None:
    site = start(BASE_URL=base_url)
    browser = site.browser()
    answer = choose(browser, "cs")
    (cookie,) = (line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{name}="))
    parsed = SimpleCookie(cookie)[name]
    https = base_url.startswith("https")
    assert parsed.value == "cs"
    assert (parsed["path"], parsed["domain"], parsed["samesite"]) == ("/", "", "Lax")
    assert (bool(parsed["httponly"]), bool(parsed["secure"])) == (True, https)
    assert parsed["max-age"] == str(int(timedelta(days=365).total_seconds()))
    assert_headers(answer, https=https)


@pytest.mark.parametrize("value", ["", "xx", "CS", "cs;en", "../cs", "%00", "č", "a" * 3000])
def test_an_invalid_language_cookie_is_ignored(site: Site, value: str) -> None:
    browser = site.browser()
    browser.set_cookie(value, "language")
    assert spoken(browser.send("/login", headers=CZECH)) == "cs"


def test_the_language_cookie_survives_signing_in_and_out(site: Site) -> None:
    browser = site.browser()
    choose(browser, "cs")
    browser.register(ADA, PASSWORD)
    browser.fill(site.link(ADA))
    assert spoken(browser.open("/account")) == "cs"
    browser.sign_out()
    assert spoken(browser.open("/login")) == "cs"


# What follows from it.


def speaks(site: Site, tag: str) -> None:
    """What an import or a shop's server knows of Ada."""
    with site.context.database.write() as connection:
        connection.execute(update(Contact).values(locale=tag))


def locale_of_ada(site: Site) -> str | None:
    (contact,) = site.rows()["contact"]
    locale: str | None = contact["locale"]
    return locale


def test_a_registration_stores_the_language_of_the_page(site: Site) -> None:
    browser = site.browser()
    choose(browser, "cs")
    browser.register(ADA, PASSWORD)
    (mail,) = site.mails(ADA)
    assert mail["Content-Language"] == "cs"
    assert mail["Subject"] == "Potvrďte e\u2011mailovou adresu pro účet Customer portal"
    browser.fill(site.link(ADA))
    assert locale_of_ada(site) == "cs"


def test_the_switch_changes_the_language_of_a_customers_emails(site: Site) -> None:
    browser = site.customer(ADA)
    assert locale_of_ada(site) == "en"
    choose(browser, "cs", on="/account")
    assert locale_of_ada(site) == "cs"
    site.browser().ask_for_reset(ADA)
    mail = site.mails(ADA)[-1]
    assert mail["Content-Language"] == "cs"
    assert "Odkaz funguje jednou a platí 30 minut." in " ".join(text_of(mail).split())
    assert '<html lang="cs" dir="ltr">' in html_of(mail)


def test_the_switch_does_not_change_other_customers(site: Site) -> None:
    ada = site.customer(ADA)
    site.customer("grace@example.com")
    choose(ada, "cs", on="/account")
    assert {row["email"]: row["locale"] for row in site.rows()["contact"]} == {ADA: "cs", "grace@example.com": "en"}


def test_an_email_without_a_stored_language_is_in_the_language_of_the_page(site: Site) -> None:
    site.guest(ADA)
    browser = site.browser()
    choose(browser, "cs")
    browser.ask_for_reset(ADA)
    assert site.mails(ADA)[-1]["Content-Language"] == "cs"


def test_an_email_in_an_unsupported_language_is_in_the_organisations_language(site: Site) -> None:
    site.customer(ADA)
    speaks(site, "de")
    organisation_speaks(site, "cs")
    site.browser().ask_for_reset(ADA)
    assert site.mails(ADA)[-1]["Content-Language"] == "cs"


def test_a_notice_is_in_the_language_of_the_page_that_shows_it(site: Site) -> None:
    browser = site.browser()
    browser.register(ADA, PASSWORD)
    link = site.link(ADA)
    choose(browser, "cs", on=link)
    welcome = browser.follow(browser.fill(link))
    assert spoken(welcome) == "en"
    assert "Your email address is confirmed. Welcome!" in welcome.words


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
