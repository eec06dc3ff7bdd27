"""A registration that another proof of the mailbox has dropped: the page says so, and what to do."""

from collections.abc import Callable

import pytest

from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site
from tests.web.expectations import assert_error_page
from tests.web.post import code_in

EMAIL = "ada@example.com"
SECOND = "nine grey otters swim"
NOTICE = "What was entered at registration was not saved, because you signed in by email instead."


def sign_in_by_link(site: Site, browser: Browser) -> Page:
    browser.fill("/login/link", {"email": EMAIL})
    return browser.fill(site.link(EMAIL))


def sign_in_by_code(site: Site, browser: Browser) -> Page:
    browser.fill("/login/link", {"email": EMAIL})
    return browser.fill("/login/code", {"code": code_in(site.mails(EMAIL)[-1])}, submit_to="/login/code")


def reset(site: Site, browser: Browser) -> Page:
    browser.ask_for_reset(EMAIL)
    return browser.fill(site.link(EMAIL), {"password": SECOND})


@pytest.mark.parametrize("sign_in", [sign_in_by_link, sign_in_by_code])
def test_signing_in_by_email_says_that_the_registered_password_was_not_saved(
    site: Site, sign_in: Callable[[Site, Browser], Page]
) -> None:
    site.browser().register(EMAIL, PASSWORD)
    browser = site.browser()
    page = browser.follow(sign_in(site, browser))

    (notice,) = page.notices
    assert NOTICE in notice
    (way,) = page.tree.one("p", role="status").all("a")
    assert way.get("href") == "/account/password"
    assert browser.open("/account").notices == []
    assert browser.sign_out().status == 302
    assert NOTICE not in browser.follow(sign_in(site, browser)).words


def test_the_notice_is_in_the_language_of_the_page(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    browser = site.browser()
    signed_in = sign_in_by_link(site, browser)
    page = browser.send(signed_in.location, headers={"Accept-Language": "cs"})

    assert page.tree.one("html").get("lang") == "cs"
    (notice,) = page.notices
    assert "heslo" in notice
    assert "password" not in notice


def test_a_reset_says_that_the_new_password_replaces_the_registered_one(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    browser = site.browser()

    (notice,) = browser.follow(reset(site, browser)).notices
    assert "replaces the one chosen at registration. What else was entered there was not saved." in notice
    (notice,) = browser.follow(reset_again(site, browser)).notices
    assert notice == "Your new password is set and you're signed in. All your other devices have been signed out."


def reset_again(site: Site, browser: Browser) -> Page:
    browser.ask_for_reset(EMAIL)
    return browser.fill(site.link(EMAIL), {"password": "ten pink llamas hum"})


@pytest.mark.parametrize("prove", [sign_in_by_link, reset])
def test_the_link_and_code_of_a_dropped_registration_say_that_it_was_dropped(
    site: Site, prove: Callable[[Site, Browser], Page]
) -> None:
    registering = site.browser()
    registering.register(EMAIL, PASSWORD)
    link, code = site.link(EMAIL), code_in(site.mails(EMAIL)[-1])
    form = registering.open("/register/code").form("/register/code")
    prove(site, site.browser())

    wrong = f"{(int(code) + 1) % 10**6:06}"
    assert registering.post(form, {"code": wrong}).problems == [
        ("code", "This code doesn't work. Check it, or open the link in the same email instead.")
    ]
    for page in (registering.post(form, {"code": code}), registering.open(link), site.browser().open(link)):
        assert_error_page(page, 410)
        assert "what was entered at registration was not saved" in page.words
        ways = [way.get("href") for way in page.tree.one("main").all("a")]
        assert ways == ["/login/link", "/password/reset"]


def test_the_link_of_a_registration_superseded_by_another_leads_to_signing_in(site: Site) -> None:
    site.browser().register(EMAIL, SECOND)
    link = site.link(EMAIL)
    site.customer(EMAIL)

    page = site.browser().open(link)
    assert_error_page(page, 410)
    assert "was not saved" not in page.words
    assert [way.get("href") for way in page.tree.one("main").all("a")] == ["/login", "/password/reset"]


def test_the_owner_gets_no_email_of_registrations_by_attackers(site: Site) -> None:
    site.customer(EMAIL)
    stranger = site.browser("198.51.100.66")
    stranger.register(EMAIL, SECOND)
    browser = site.browser()

    assert browser.follow(sign_in_by_link(site, browser)).notices == []
    page = stranger.fill("/register/code", {"code": "000000"}, submit_to="/register/code")
    assert page.problems == [("code", "This code doesn't work. Check it, or open the link in the same email instead.")]
