"""A lost phone, a stolen password, a stolen mailbox, a stolen database: who can sign in."""

from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from portal.domain.audit_log import EventKind
from portal.domain.operations.reset_two_step import reset_two_step
from portal.domain.values.email import parse_email
from portal.storage.models import Event
from tests.web.authenticator import SETTINGS, SIGN_IN, Phone, pass_step, secret_on, set_up
from tests.web.conftest import PASSWORD, Site
from tests.web.post import not_me_link_in
from tests.web.two_step.ways_in import EMAIL, NEW_PASSWORD, Way, by_code, by_link, by_reset


def test_a_lost_phone_with_recovery_codes(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.recovery_codes[0])
    assert browser.post(browser.open(SETTINGS).form(f"{SETTINGS}/off")).location == "/account/security"
    new_phone = set_up(site, browser)
    assert new_phone.secret != phone.secret
    browser.sign_out()
    browser.sign_in(EMAIL, PASSWORD)
    assert pass_step(browser, phone.recovery_codes[1]).status == 422
    assert pass_step(browser, new_phone.code()).location == "/account"


def test_a_lost_phone_without_recovery_codes(site: Site, phone: Phone) -> None:
    assert phone.secret
    browser = site.browser()
    by_reset(site, browser)
    assert not browser.is_signed_in
    reset_two_step(site.context, 1, parse_email(EMAIL), "Showed an ID, ticket 4711")
    assert browser.send(SIGN_IN).location == "/login"
    assert browser.sign_in(EMAIL, NEW_PASSWORD).location == "/account"
    texts = [mail.get_body(("plain",)).get_content() for mail in site.mails(EMAIL)]  # type: ignore[union-attr] # it has one
    assert len([text for text in texts if "Reason: Showed an ID, ticket 4711" in text]) == 1
    with site.context.database.read() as connection:
        events = select(Event.c.reason).where(Event.c.kind == EventKind.TWO_STEP_RESET)
        assert connection.execute(events).scalars().all() == ["Showed an ID, ticket 4711"]


def test_a_stolen_password_is_not_enough_and_leaves_a_trace(site: Site, phone: Phone) -> None:
    thief = site.browser("198.51.100.66")
    thief.sign_in(EMAIL, PASSWORD)
    assert pass_step(thief, "12345").status == 422
    owner = site.browser()
    owner.sign_in(EMAIL, PASSWORD)
    pass_step(owner, phone.code())
    words = owner.open("/account/activity").words
    assert "Sign-in begun, waiting for a code" in words
    assert "Sign-in failed: wrong code" in words
    assert "198.51.100.66" in words


@pytest.mark.parametrize("way", [by_link, by_code, by_reset])
def test_a_stolen_mailbox_is_not_enough(site: Site, phone: Phone, way: Way) -> None:
    assert phone.secret
    thief = site.browser("198.51.100.66")
    way(site, thief)
    for path in ("/account", SETTINGS, "/account/password", "/reauthenticate", "/account/security"):
        assert thief.send(path).location.startswith("/login")


def test_no_secret_is_in_clear_in_the_database(site: Site, phone: Phone) -> None:
    stored = repr(site.rows())
    assert phone.secret not in stored
    assert all(code not in stored and code.replace("-", "") not in stored for code in phone.recovery_codes)


def test_the_cookie_holds_no_secret_in_clear(site: Site) -> None:
    browser = site.customer(EMAIL)
    secret = secret_on(browser.open(SETTINGS))
    interface = site.app.session_interface
    serializer = interface.get_signing_serializer(site.app)  # type: ignore[attr-defined] # of a base class
    assert secret not in repr(serializer.loads(browser.cookie()))


def test_who_reports_not_me_learns_that_a_second_step_stays(site: Site) -> None:
    thief, owner = site.customer(EMAIL), site.browser()
    set_up(site, thief)
    page = owner.open(urlsplit(not_me_link_in(site.mails(EMAIL)[-1])).path)
    assert "Two-step verification stays on. If you didn't set it up, contact us" in page.words
    owner.post(page.form())
    answer = owner.fill("/password/new", {"password": NEW_PASSWORD})
    assert answer.location == SIGN_IN
    assert "didn't you set this up?" in owner.follow(answer).words


def test_without_a_second_step_not_me_says_nothing_of_it(site: Site) -> None:
    browser = site.customer(EMAIL)
    browser.fill("/account/password", {"current_password": PASSWORD, "password": NEW_PASSWORD})
    page = site.browser().open(urlsplit(not_me_link_in(site.mails(EMAIL)[-1])).path)
    assert "Two-step" not in page.words
