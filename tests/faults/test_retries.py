"""A request that is sent twice, one after the other or at once, gets the same response and is done once.

A browser sends a form again when it is pressed twice or got no response; a proxy does when it lost one. The cookie is
the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.web.browser import Browser, Fields, Form, Page
from tests.web.conftest import PASSWORD, Site, in_parallel
from tests.web.post import link_in

EMAIL = "ada@example.com"
SECOND = "nine grey otters swim"
Opened = tuple[Browser, Form, Fields]
Sender = Callable[[Site, Opened], list[Page]]


def twin(site: Site, browser: Browser) -> Browser:
    """Return the same browser, in another connection."""
    other = site.browser()
    other.set_cookie(browser.cookie() or "")
    return other


def in_a_row(site: Site, opened: Opened) -> list[Page]:
    browser, form, typed = opened
    return [twin(site, browser).post(form, typed) for _ in range(2)]


def at_once(site: Site, opened: Opened) -> list[Page]:
    browser, form, typed = opened
    return in_parallel([partial(twin(site, browser).post, form, typed) for _ in range(2)])


def register(site: Site) -> Opened:
    browser = site.browser()
    names = {"first_name": "Ada", "last_name": "Quill"}
    return browser, browser.open("/register").form(), {"email": EMAIL, "password": PASSWORD, **names}


def resend(site: Site) -> Opened:
    browser = site.browser()
    return browser, browser.follow(browser.register(EMAIL, PASSWORD)).form("/register/resend"), {}


def ask_for_reset(site: Site) -> Opened:
    site.customer(EMAIL)
    browser = site.browser()
    return browser, browser.open("/password/reset").form(), {"email": EMAIL}


def ask_to_sign_in(site: Site) -> Opened:
    site.customer(EMAIL)
    browser = site.browser()
    return browser, browser.open("/login/link").form(), {"email": EMAIL}


def confirm(site: Site) -> Opened:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    return browser, browser.open(site.link(EMAIL)).form(), {}


def confirm_elsewhere(site: Site) -> Opened:
    site.browser().register(EMAIL, PASSWORD)
    browser = site.browser()
    return browser, browser.open(site.link(EMAIL)).form(), {"password": PASSWORD}


def reset(site: Site) -> Opened:
    browser, form, typed = ask_for_reset(site)
    browser.post(form, typed)
    return browser, browser.open(site.link(EMAIL)).form(), {"password": SECOND}


def sign_in(site: Site) -> Opened:
    browser, form, typed = ask_to_sign_in(site)
    browser.post(form, typed)
    return browser, browser.open(site.link(EMAIL)).form(), {}


both_ways = pytest.mark.parametrize("send", [in_a_row, at_once], ids=lambda send: send.__name__)


@both_ways
@pytest.mark.parametrize(
    "opener", [register, resend, ask_for_reset, ask_to_sign_in], ids=lambda opener: opener.__name__
)
def test_an_email_asked_for_twice_comes_twice_and_using_one_link_ends_the_other(
    site: Site, opener: Callable[[Site], Opened], send: Sender
) -> None:
    opened = opener(site)
    before = len(site.mails(EMAIL))
    one, other = send(site, opened)

    assert (one.status, one.location) == (other.status, other.location)
    assert len(site.rows()["contact"]) == 1
    first, second = (link_in(mail).removeprefix(site.settings.base_url) for mail in site.mails(EMAIL)[before:])
    assert first != second
    typed = {"password": SECOND if opener is ask_for_reset else PASSWORD}
    forms = [
        (browser, browser.open(link).form()) for browser, link in zip(_browsers(site), (first, second), strict=True)
    ]
    used = [browser.post(form, typed if "password" in form.fields else {}) for browser, form in forms]
    assert [page.status for page in used] == [302, 410]
    assert len(site.rows()["account"]) == 1


def _browsers(site: Site) -> list[Browser]:
    return [site.browser(), site.browser()]


@both_ways
@pytest.mark.parametrize("opener", [confirm, confirm_elsewhere, reset, sign_in], ids=lambda opener: opener.__name__)
def test_a_link_used_twice_takes_effect_once(site: Site, opener: Callable[[Site], Opened], send: Sender) -> None:
    opened = opener(site)
    before = site.rows()
    pages = send(site, opened)

    # A reset whose answer was lost signs in again; the session that its first answer would have opened is ended.
    assert sorted(page.status for page in pages) == [302, 302 if opener is reset else 410]
    after = site.rows()
    assert len(live(after)) == (1 if opener is reset else len(live(before)) + 1)
    assert len(after["account"]) == 1
    assert len(after["former_password"]) == (1 if opener is reset else 0)
    assert len(site.mails(EMAIL)) == len(before["outbox"]) + (1 if opener in (reset, sign_in) else 0)


def live(rows: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [identity for identity in rows["identity"] if identity["ended_at"] is None]


@both_ways
def test_a_sign_in_that_is_sent_twice_signs_in_both_times(site: Site, send: Sender) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    pages = send(site, (browser, browser.open("/login").form(), {"email": EMAIL, "password": PASSWORD}))

    assert [(page.status, page.location) for page in pages] == [(302, "/account")] * 2
    assert site.rows()["contact"][0]["failed_passwords"] == 0
