"""The verdict on a new password while it is typed."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.conftest import NewVisitor
from tests.browser.visitor import PASSWORD, Visitor

pytestmark = pytest.mark.browser

WEAK = "password"
TOO_EASY = re.compile("^This password is too easy to guess")
FIT = "Strong enough."


def verdict(visitor: Visitor) -> Locator:
    return visitor.page.locator(".verdict")


def typing(visitor: Visitor, text: str) -> None:
    """Type a text letter by letter."""
    field = visitor.page.locator("main [name=password]")
    field.clear()
    field.press_sequentially(text, delay=5)


def test_the_password_check_is_shown_and_announced_to_screen_readers(visitor: Visitor) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    visitor.page.clock.install()
    visitor.go("/register")
    expect(verdict(visitor)).to_have_attribute("role", "status")
    expect(verdict(visitor)).to_have_text("")

    visitor.page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))  # the script sends a request after a pause
    typing(visitor, WEAK)
    visitor.page.clock.resume()
    expect(verdict(visitor)).to_have_text(TOO_EASY)
    assert len(asked) == 1
    typing(visitor, PASSWORD)
    expect(verdict(visitor)).to_have_text(FIT)
    typing(visitor, "")
    expect(verdict(visitor)).to_have_text("")


@pytest.mark.full
def test_values_of_the_other_fields_count_whenever_they_are_typed(visitor: Visitor) -> None:
    visitor.go("/register")
    typing(visitor, "marzipetto77")
    expect(verdict(visitor)).to_have_text(FIT)

    visitor.type(first_name="Marzipetto")
    expect(verdict(visitor)).to_have_text(TOO_EASY)
    visitor.type(first_name="Ada", email="marzipetto@example.com")
    expect(verdict(visitor)).to_have_text(TOO_EASY)


@pytest.mark.full
def test_the_password_check_runs_on_every_new_password_in_the_language_of_the_page(new_visitor: NewVisitor) -> None:
    visitor = new_visitor()
    email = "marzipetto@example.com"
    visitor.register(email)
    visitor.confirm(email)
    visitor.go("/account/password")
    typing(visitor, "marzipetto")
    expect(verdict(visitor)).to_have_text(re.compile("made of your name or address"))

    new_visitor().ask_for_reset(email)
    czech = new_visitor(locale="cs-CZ")
    czech.go(visitor.link_to(email, "Set a new password"))
    typing(czech, "marzipetto")
    expect(verdict(czech)).to_have_text(re.compile(r"vychází\sz\svašeho\sjména"))


@pytest.mark.full
def test_a_late_answer_is_ignored(visitor: Visitor) -> None:
    visitor.go("/register")
    held: list[Route] = []
    visitor.page.route("**/password/strength", lambda route: held.append(route))  # Playwright takes no built-in
    for asked, text in enumerate((WEAK, PASSWORD), 1):
        typing(visitor, text)
        while len(held) < asked:
            visitor.page.wait_for_timeout(20)

    first, second = held
    second.continue_()
    expect(verdict(visitor)).to_have_text(FIT)
    with visitor.page.expect_response("**/password/strength"):
        first.continue_()
    visitor.page.wait_for_timeout(200)
    expect(verdict(visitor)).to_have_text(FIT)


@pytest.mark.full
@pytest.mark.parametrize("status", [None, 429, 503], ids=["no network", "too often", "busy"])
def test_a_failed_password_check_shows_nothing(visitor: Visitor, status: int | None) -> None:
    visitor.go("/register")
    typing(visitor, WEAK)
    expect(verdict(visitor)).to_have_text(TOO_EASY)

    answer = (lambda route: route.abort()) if status is None else (lambda route: route.fulfill(status=status))
    visitor.page.route("**/password/strength", answer)
    typing(visitor, "password1")
    expect(verdict(visitor)).to_have_text("")
    assert [fault for fault in visitor.faults if fault.startswith("script")] == []
    visitor.faults.clear()  # the browser's own message


def test_without_javascript_only_the_rule_is_shown(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(java_script_enabled=False)
    visitor.go("/register")
    expect(verdict(visitor)).to_have_text("")
    expect(verdict(visitor).locator(".icon").first).to_be_hidden()
    expect(visitor.page.locator("[name=password]")).to_have_accessible_description(re.compile("At least 8 characters"))
