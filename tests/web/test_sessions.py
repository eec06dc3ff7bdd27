"""Sessions: how they begin, how long they last, and what ends them."""

import base64
import zlib
from datetime import UTC, datetime, timedelta
from secrets import randbelow, token_urlsafe
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from portal.storage.backends import DatabaseUnavailable
from portal.storage.models import Organisation
from portal.web import session
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site, Start

EMAIL = "ada@example.com"
SECOND = "nine grey otters swim"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def twin(site: Site, browser: Browser) -> Browser:
    """Return another browser with a copy of the cookie, as a thief would have it."""
    copy = site.browser("198.51.100.66")
    copy.set_cookie(browser.cookie() or "")
    return copy


def content_of(browser: Browser) -> str:
    """Return the content of a session cookie, which is signed and not encrypted."""
    cookie = browser.cookie() or ""
    payload = cookie.lstrip(".").split(".")[0]
    content = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    return (zlib.decompress(content) if cookie.startswith(".") else content).decode()


def test_an_invented_session_cookie_is_not_adopted(site: Site) -> None:
    site.customer(EMAIL)
    for invented in ("", "invented", "eyJpZGVudGl0eSI6ImFhYWEifQ.aaaa.bbbb"):
        browser = site.browser()
        browser.set_cookie(invented)
        assert not browser.is_signed_in
        browser.sign_in(EMAIL, PASSWORD)
        assert browser.is_signed_in
        assert browser.cookie() != invented


def test_signing_in_starts_a_new_identity_and_the_old_cookie_stays_anonymous(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    browser.open("/login")
    before = twin(site, browser)
    browser.sign_in(EMAIL, PASSWORD)

    assert browser.is_signed_in
    assert not before.is_signed_in


def test_signing_in_again_in_another_tab_ends_the_previous_identity(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    first, second = browser.open("/login").form(), {"email": EMAIL, "password": PASSWORD}
    browser.post(first, second)
    before = twin(site, browser)
    again = browser.open("/account/password")
    assert before.is_signed_in
    answer = browser.send("/login", "POST", data={**second, "csrf_token": again.forms[0].token})

    assert answer.status == 302
    assert browser.is_signed_in
    assert not before.is_signed_in


def test_confirming_in_a_signed_in_browser_ends_the_previous_identity(site: Site) -> None:
    site.browser().register("bob@example.com", PASSWORD)
    link = site.link("bob@example.com")
    browser = site.customer(EMAIL)
    before = twin(site, browser)
    assert before.is_signed_in
    assert browser.fill(link, {"password": PASSWORD}, submit_to=link).status == 302

    assert "bob@example.com" in browser.open("/account").words
    assert not before.is_signed_in


def test_a_cookie_replayed_after_signing_out_is_anonymous(site: Site) -> None:
    browser = site.customer(EMAIL)
    thief = twin(site, browser)
    assert thief.is_signed_in
    browser.sign_out()

    assert not browser.is_signed_in
    assert not thief.is_signed_in


def test_signing_out_twice_or_signed_out_is_no_failure(site: Site) -> None:
    browser = site.customer(EMAIL)
    form = browser.open("/account").form("/logout")
    thief = twin(site, browser)
    assert browser.post(form).location == "/login"

    assert thief.post(form).location == "/login"
    anonymous = site.browser()
    token = anonymous.open("/login").form().token
    assert anonymous.send("/logout", "POST", data={"csrf_token": token}).location == "/login"


def test_signing_out_ends_one_identity_only(site: Site) -> None:
    browser, other = site.customer(EMAIL), site.browser()
    other.sign_in(EMAIL, PASSWORD)
    browser.sign_out()

    assert other.is_signed_in


def test_a_ban_ends_every_session_at_the_next_request(site: Site) -> None:
    browser, other = site.customer(EMAIL), site.browser()
    other.sign_in(EMAIL, PASSWORD, remember="y")
    form = browser.open("/account/password").form("/account/password")
    browser.ask_for_reset(EMAIL)
    link = site.link(EMAIL)
    site.ban(EMAIL)

    assert not other.is_signed_in
    page = browser.post(form, {"current_password": PASSWORD, "password": SECOND})
    assert page.location == "/login?next=/account/password"
    assert site.browser().open(link).status == 410


def test_a_password_change_ends_other_sessions_and_renews_this_one(site: Site) -> None:
    browser, other = site.browser(), site.browser()
    site.customer(EMAIL)
    browser.sign_in(EMAIL, PASSWORD, remember="y")
    other.sign_in(EMAIL, PASSWORD, remember="y")
    before = twin(site, browser)
    typed = {"current_password": PASSWORD, "password": SECOND}
    page = browser.fill("/account/password", typed, submit_to="/account/password")

    assert page.status == 302
    assert "Expires=" in page.cookies["portal"]
    assert browser.is_signed_in
    assert not other.is_signed_in
    assert not before.is_signed_in


def sign_in(site: Site, kept: bool) -> Browser:
    browser = site.browser()
    assert browser.sign_in(EMAIL, PASSWORD, remember="y" if kept else None).status == 302
    return browser


@pytest.mark.parametrize(("kept", "idle"), [(False, timedelta(hours=2)), (True, timedelta(days=7))])
def test_an_idle_identity_expires_to_the_second(site: Site, kept: bool, idle: timedelta) -> None:
    site.customer(EMAIL)
    second = timedelta(seconds=1)
    with time_machine.travel(NOW, tick=False) as clock:
        one, other = sign_in(site, kept), sign_in(site, kept)
        clock.shift(idle - second)
        assert one.is_signed_in
        clock.shift(second)
        assert not other.is_signed_in
        assert one.is_signed_in
        clock.shift(idle)
        assert not one.is_signed_in


@pytest.mark.parametrize(("kept", "absolute"), [(False, timedelta(hours=12)), (True, timedelta(days=30))])
def test_use_does_not_extend_the_absolute_lifetime_of_an_identity(site: Site, kept: bool, absolute: timedelta) -> None:
    site.customer(EMAIL)
    step = absolute / 20
    with time_machine.travel(NOW, tick=False) as clock:
        browser = sign_in(site, kept)
        for _ in range(19):
            clock.shift(step)
            assert browser.is_signed_in
        clock.shift(step - timedelta(seconds=1))
        assert browser.is_signed_in
        clock.shift(timedelta(seconds=1))
        assert not browser.is_signed_in


@pytest.mark.parametrize("kept", [False, True])
def test_the_cookie_outlives_the_browser_only_when_asked_to(site: Site, kept: bool) -> None:
    site.customer(EMAIL)
    with time_machine.travel(NOW, tick=False):
        page = site.browser().sign_in(EMAIL, PASSWORD, remember="y" if kept else None)
        cookie = page.cookies["portal"]
    assert ("Expires=Tue, 31 Mar 2026 12:00:00 GMT" in cookie) == kept
    assert ("Expires" in cookie) == kept
    assert "Max-Age" not in cookie


def test_only_the_checkbox_value_means_remember_me(site: Site) -> None:
    site.customer(EMAIL)

    for value, kept in (("y", True), ("on", True), ("", False), ("false", False), (None, False)):
        page = site.browser().sign_in(EMAIL, PASSWORD, remember=value)
        assert ("Expires" in page.cookies["portal"]) == kept, value


def test_the_cookie_is_small_and_holds_no_personal_data(site: Site) -> None:
    longest = "a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".com"
    browser = site.browser()
    page = browser.register(longest, PASSWORD, first_name="N" * 255, last_name="M" * 255)
    assert page.status == 302
    assert len(page.cookies["portal"]) < 4096
    browser.fill(site.link(longest))
    content = content_of(browser)

    assert len(browser.cookie() or "") < 1000
    assert "identity" in content
    assert not any(word in content for word in (longest, "NNNN", "@", PASSWORD))


def test_the_cookie_never_exceeds_the_size_that_browsers_accept(start: Start) -> None:
    """Browsers drop a cookie of more than 4096 bytes (RFC 6265, 6.1), and with it the request for a code."""
    site = start(BASE_URL="https://portal.example.com", MAIL_LIMIT_ADDRESS="100 per hour")
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(return_origins=["https://shop.example.com"]))
    site.app.extensions["portal_directory"]._snapshot = None  # some seconds later
    email = f"{'a' * 64}@{'.'.join(['b' * 60] * 3)}.com"
    wide = "".join(chr(0x20000 + randbelow(40_000)) for _ in range(255))  # the longest values
    said = {
        "return_url": "https://shop.example.com/" + token_urlsafe(200)[:230],
        "next": "/" + token_urlsafe(2000)[:1999],
        "state": wide,
        "nonce": token_urlsafe(96),
    }
    site.imported("ada@example.com")
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(require_two_step="required"))
    browser = site.browser()
    pages = [browser.open(f"/register?{urlencode(said)}"), browser.register(email, PASSWORD)]
    for _ in range(3):
        pages += [browser.fill(f"/login/link?{urlencode(said)}", {"email": f"c{email[1:]}"})]
    pages += [browser.ask_for_reset(f"d{email[1:]}")]
    pages += [browser.sign_in("ada@example.com", PASSWORD, next=f"/{'n' * 250}"), browser.send("/login/two-step")]
    assert [page.status for page in pages] == [200, 302, 302, 302, 302, 302, 302, 200]
    cookies = [cookie for page in pages for cookie in page.headers.getlist("Set-Cookie")]
    assert len(cookies) == len(pages)
    assert 2000 < max(map(len, cookies)) < 4096


def test_a_copy_of_the_database_is_not_enough_to_sign_in(site: Site) -> None:
    browser = site.customer(EMAIL)
    identity = content_of(browser).split('"identity":"')[1].split('"')[0]

    assert len(identity) == 32
    assert identity.isalnum()
    assert identity not in repr(site.rows())


def test_signing_in_works_right_after_a_database_outage(site: Site) -> None:
    browser = site.customer(EMAIL)
    identity = content_of(browser).split('"identity":"')[1].split('"')[0]
    engine = site.context.database.engine

    def be_away(*_arguments: Any) -> None:
        raise OperationalError("", {}, Exception("away"))

    with site.app.test_request_context("/"):
        session.sign_in(identity, remember=False)
        event.listen(engine, "before_cursor_execute", be_away)
        try:
            with pytest.raises(DatabaseUnavailable):
                session.current_customer()
        finally:
            event.remove(engine, "before_cursor_execute", be_away)
        session.sign_in(identity, remember=False)
        assert session.current_customer() is not None
