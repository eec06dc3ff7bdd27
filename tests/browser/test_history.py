"""Back and forward with the browser's back/forward cache, which Playwright turns off by default."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, expect

from tests.browser.chromium import LAUNCH_ARGUMENTS
from tests.browser.conftest import NewVisitor, visitors, with_and_without_script
from tests.browser.visitor import PASSWORD, Visitor
from tests.cli.process import Served

pytestmark = [pytest.mark.browser, pytest.mark.full]

_MARK = "window.keptInMemory = true"
_IS_MARKED = "window.keptInMemory === true"


@pytest.fixture(scope="module")
def remembering(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(
        executable_path=chromium, args=LAUNCH_ARGUMENTS, ignore_default_args=["--disable-back-forward-cache"]
    )
    yield browser
    browser.close()


@pytest.fixture
def new_visitor(remembering: Browser, portal: Served) -> Iterator[NewVisitor]:
    with visitors(remembering, portal.url) as new:
        yield new


def member(new_visitor: NewVisitor, email: str, *, script: bool = True) -> Visitor:
    visitor = new_visitor(java_script_enabled=script)
    visitor.register(email)
    visitor.confirm(email)
    visitor.page.evaluate(_MARK)
    return visitor


@with_and_without_script
def test_this_browser_has_a_back_forward_cache(new_visitor: NewVisitor, script: bool) -> None:
    visitor = new_visitor(java_script_enabled=script)
    visitor.go("/register")  # Chromium keeps no page that has asked for a passkey, as /login does
    visitor.page.evaluate(_MARK)
    visitor.follow("Sign in")

    visitor.page.go_back(wait_until="commit")  # a page from the cache is not loaded
    expect(visitor.heading).to_have_text("Create an account")
    assert visitor.page.evaluate(_IS_MARKED)


@with_and_without_script
def test_after_signing_out_the_back_button_shows_nothing_personal(new_visitor: NewVisitor, script: bool) -> None:
    """Chromium removes a `no-store` page from its cache as soon as an HttpOnly cookie changes."""
    email = f"goes-{script}@example.com".lower()
    visitor = member(new_visitor, email, script=script)
    visitor.follow("Change password")
    visitor.page.evaluate(_MARK)
    visitor.follow("Overview")
    visitor.page.evaluate(_MARK)
    visitor.press("Sign out")

    for step in (visitor.page.go_back, visitor.page.go_back, visitor.page.go_back, visitor.page.go_forward):
        step(wait_until="commit")
        expect(visitor.heading).to_have_text("Sign in")
        assert not visitor.page.evaluate(_IS_MARKED)
        for personal in (email, "Quill", "Ada"):
            assert personal not in visitor.page.content()


def test_going_back_to_a_refused_form_shows_the_form_again(visitor: Visitor) -> None:
    visitor.go("/login?next=/account/profile")
    visitor.type(email="nobody@example.com", password=PASSWORD)
    assert visitor.press("Sign in") == 422
    visitor.follow("Forgot your password?")
    assert visitor.page.go_back().status == 200  # type: ignore[union-attr] # another page
    assert visitor.page.url.endswith("/login?next=%2Faccount%2Fprofile")
    expect(visitor.page.locator("main [name=email]")).to_have_value("nobody@example.com")


def test_a_page_of_a_session_ended_elsewhere_is_reloaded(new_visitor: NewVisitor) -> None:
    email = "ended-elsewhere@example.com"
    visitor = member(new_visitor, email)
    visitor.go("/nothing-here")
    elsewhere = new_visitor()
    elsewhere.sign_in(email)
    elsewhere.go("/account/password")
    elsewhere.type(current_password=PASSWORD, password="nine grey otters swim")
    assert elsewhere.press("Save new password") == 200

    visitor.page.go_back(wait_until="commit")
    visitor.page.wait_for_url("**/login?next=/account")
    expect(visitor.heading).to_have_text("Sign in")
    assert email not in visitor.page.content()
