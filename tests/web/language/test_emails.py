"""The language of a customer's emails and notices, which follows from that of the pages."""

from tests.web.conftest import PASSWORD, Site
from tests.web.language.switch import ADA, choose, organisation_speaks, speaks, spoken
from tests.web.post import html_of, text_of


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
