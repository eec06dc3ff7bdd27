"""The page behind "This wasn't me" in a notice."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
import time_machine
from sqlalchemy import update

from portal.domain.context import NOTICE_LINK_LIFETIME
from portal.domain.outbox import Notice
from portal.storage.models import OutboxMail
from tests.api.shop import new_shop
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.expectations import assert_error_page
from tests.web.post import not_me_link_in, text_of

EMAIL, BOB = "ada@example.com", "bob@example.com"
SECOND, STOLEN = "nine grey otters swim", "four brown foxes dig"
NEW_SIGN_IN = "New sign-in to your Customer portal account"


def notices(site: Site, email: str = EMAIL) -> list[EmailMessage]:
    return [mail for mail in site.mails(email) if mail["Subject"] == NEW_SIGN_IN]


def not_me(site: Site, subject: str = NEW_SIGN_IN) -> str:
    """Return the path of the link in the last notice of a kind."""
    mail = [mail for mail in site.mails(EMAIL) if mail["Subject"] == subject][-1]
    return not_me_link_in(mail).removeprefix(site.settings.base_url)


@pytest.fixture
def owner(site: Site) -> Browser:
    return site.customer(EMAIL)


@pytest.fixture
def thief(site: Site, owner: Browser) -> Browser:
    """An attacker who knows the owner's password."""
    browser = site.browser("198.51.100.7")
    assert browser.sign_in(EMAIL, PASSWORD, remember="y").status == 302
    return browser


def test_a_stolen_password_is_noticed_and_the_thief_is_signed_out_at_the_next_request(
    site: Site, owner: Browser, thief: Browser
) -> None:
    assert thief.is_signed_in
    (mail,) = notices(site)
    assert "If this wasn't you" in text_of(mail)

    page = owner.open(not_me(site))
    assert EMAIL in page.words
    assert thief.is_signed_in
    answer = owner.post(page.form())
    assert answer.location == "/password/new"
    assert not thief.is_signed_in
    assert not owner.is_signed_in
    assert thief.sign_in(EMAIL, PASSWORD).status == 422

    page = owner.follow(answer)
    assert "Everyone is signed out of your account. Now choose a new password." in page.text
    assert "signed out everywhere else" not in page.words
    assert owner.post(page.form(), {"password": SECOND}).location == "/account"
    assert owner.is_signed_in
    assert thief.sign_in(EMAIL, PASSWORD).status == 422
    assert site.browser().sign_in(EMAIL, SECOND).status == 302
    assert "Reported by email link that it wasn't you" in owner.open("/account/activity").words


def test_a_thief_who_changes_the_password_is_out_too(site: Site, owner: Browser, thief: Browser) -> None:
    shop = new_shop(site)
    thief.fill("/account/password", {"current_password": PASSWORD, "password": STOLEN})
    identity = shop.post("login", email=EMAIL, password=STOLEN).json["identityId"]
    assert not owner.is_signed_in
    link = not_me(site, "Your password for Customer portal was changed")
    owner.follow(owner.fill(link))
    assert not thief.is_signed_in
    answer = shop.ask("GET", "get-account-info", query={"identityId": identity})
    assert EMAIL not in str(answer.json)
    assert owner.fill("/password/new", {"password": SECOND}).location == "/account"
    assert thief.sign_in(EMAIL, STOLEN).status == 422


def test_a_known_browser_and_a_first_sign_in_send_no_notice(site: Site, owner: Browser) -> None:
    owner.sign_out()
    owner.sign_in(EMAIL, PASSWORD)
    site.imported(BOB)
    site.browser().sign_in(BOB, PASSWORD)
    assert notices(site) == notices(site, BOB) == []


def test_wrong_passwords_send_no_notice(site: Site, owner: Browser) -> None:
    for _ in range(3):
        assert site.browser("198.51.100.7").sign_in(EMAIL, STOLEN).status == 422
    assert notices(site) == []


def test_looking_at_the_page_does_nothing(site: Site, thief: Browser) -> None:
    link = not_me(site)
    scanner = {"User-Agent": "Mozilla/5.0 (compatible; SafeLinks/1.0)"}
    for method in ("GET", "HEAD") * 5:
        assert site.browser().send(link, method, headers=scanner).status == 200
    assert thief.is_signed_in
    assert site.browser().send(link, "POST").status == 400
    assert thief.is_signed_in


def test_the_page_can_be_reloaded_without_the_token(site: Site, thief: Browser) -> None:
    link, browser = not_me(site), site.browser()
    page = browser.open(link)
    assert page.tree.one("main").get("data-clean-path") == "/not-me"
    again = browser.open("/not-me")
    assert again.words == page.words
    assert again.form().action == link
    assert site.browser().send("/not-me").location == "/password/reset"


def test_a_used_link_leads_its_browser_on_and_shows_others_the_way(site: Site, thief: Browser) -> None:
    link, browser, late = not_me(site), site.browser(), site.browser()
    form, other = browser.open(link).form(), late.open(link).form()
    assert browser.post(form).location == "/password/new"
    assert browser.send(link).location == browser.post(form).location == "/password/new"
    for page in (late.post(other), late.open(link)):
        assert_error_page(page, 410)
        assert "Everyone was signed out with it." in page.words
        assert "/password/reset" in [a.get("href") for a in page.tree.one("main").all("a")]
    assert browser.fill("/password/new", {"password": SECOND}).location == "/account"
    assert browser.open(link).status == 200  # through the reset link, to the account


def test_a_customer_of_another_account_stays_signed_in(site: Site, thief: Browser) -> None:
    bob = site.customer(BOB)
    assert bob.fill(not_me(site)).location == "/password/new"
    assert bob.is_signed_in
    assert not thief.is_signed_in


def test_a_link_that_ended_shows_the_way_to_a_customer_who_is_signed_in(site: Site, owner: Browser) -> None:
    site.browser().sign_in(EMAIL, PASSWORD)
    link = not_me(site)
    owner.fill("/account/password", {"current_password": PASSWORD, "password": SECOND})
    page = owner.open(link)
    assert_error_page(page, 410)
    assert owner.is_signed_in
    assert [a.get("href") for a in page.tree.one("main").all("a")] == ["/password/reset", "/account"]


def test_a_customer_who_ends_other_sessions_gets_a_notice(site: Site, owner: Browser, thief: Browser) -> None:
    thief.fill("/account/sessions", submit_to="/account/sessions/end-others")
    assert not owner.is_signed_in
    owner.fill(not_me(site, "You were signed out of Customer portal on your other devices"))
    assert not thief.is_signed_in


def test_a_first_password_sends_a_notice(site: Site) -> None:
    site.guest(EMAIL)
    browser = site.browser()
    browser.fill("/login/link", {"email": EMAIL})
    browser.fill(site.link(EMAIL))
    browser.fill("/account/password", {"password": SECOND})
    assert not_me(site, "A password for Customer portal was set")


def test_sign_ins_within_an_hour_are_listed_in_one_email(site: Site, thief: Browser) -> None:
    assert len(notices(site)) == 1
    for number in range(3):
        site.browser(f"198.51.100.{number}").sign_in(EMAIL, PASSWORD)
    assert len(notices(site)) == 1
    with site.context.database.write() as connection:  # an hour later
        connection.execute(
            update(OutboxMail).where(OutboxMail.c.notice == Notice.NEW_SIGN_IN).values(due_at=site.context.clock())
        )
    _, later = notices(site)
    assert text_of(later).count("Time: ") == 3


def test_an_expired_link_shows_the_way(site: Site) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False) as clock:
        site.customer(EMAIL)
        site.browser().sign_in(EMAIL, PASSWORD)
        link = not_me(site)
        clock.shift(NOTICE_LINK_LIFETIME - timedelta(seconds=1))
        browser = site.browser()
        form = browser.open(link).form()
        clock.shift(timedelta(seconds=1))
        for page in (browser.open(link), browser.post(form)):
            assert_error_page(page, 410)
            assert "This link has expired" in page.words
            assert "/password/reset" in [a.get("href") for a in page.tree.one("main").all("a")]
