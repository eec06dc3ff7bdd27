"""The local mailbox with JavaScript: it loads new emails, and shows each in a frame of its height."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewVisitor
from tests.browser.visitor import Visitor
from tests.cli.process import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.full]

_HEIGHTS = """frame => [
  frame.clientHeight, frame.contentDocument.body.offsetHeight, frame.contentDocument.documentElement.scrollHeight
]"""


def test_a_new_email_appears_by_itself_on_top_and_is_announced(new_visitor: NewVisitor) -> None:
    reader, writer = new_visitor(), new_visitor()
    writer.register("first-letter@example.com")
    letter = reader.find_mail("first-letter@example.com", "Confirm your email")
    expect(reader.page.get_by_role("link", name="Check for new emails")).to_have_count(0)
    path = letter.get_attribute("href")
    letter.focus()
    reader.page.evaluate("window.sameDocument = true")

    writer.register("second-letter@example.com")
    expect(reader.page.locator(".mails li").first).to_contain_text("second-letter@example.com")
    expect(reader.page.get_by_role("status")).to_have_text("New email")
    assert reader.page.evaluate("window.sameDocument")
    assert reader.page.evaluate("document.activeElement.getAttribute('href')") == path


def test_a_portal_that_is_restarted_is_asked_again(visitor: Visitor, new_visitor: NewVisitor) -> None:
    visitor.register("before-restart@example.com")
    visitor.find_mail("before-restart@example.com", "Confirm your email")
    visitor.page.route("**/dev/mailbox", lambda route: route.abort("connectionrefused"))
    with visitor.page.expect_event("requestfailed"):
        pass
    new_visitor().register("after-restart@example.com")
    visitor.page.unroute_all()

    expect(visitor.page.locator(".mails")).to_contain_text("after-restart@example.com")
    assert [fault for fault in visitor.faults if fault.startswith("script")] == []
    visitor.faults.clear()  # the browser's own message


def test_an_empty_mailbox_has_nothing_to_delete(visitor: Visitor) -> None:
    visitor.register("deleted-letter@example.com")
    visitor.find_mail("deleted-letter@example.com", "Confirm your email")
    button = visitor.page.get_by_role("button", name="Delete all emails")
    expect(button).to_be_visible()
    visitor.press("Delete all emails")
    expect(visitor.page.get_by_role("heading", name="No emails yet")).to_be_visible()
    expect(button).to_be_hidden()


def test_an_email_is_as_high_as_its_text_at_every_width(visitor: Visitor) -> None:
    visitor.register("high-letter@example.com")
    visitor.open_mail("high-letter@example.com", "Confirm your email")
    letter = visitor.page.locator(".mail-body")
    heights = []
    for width in (1280, 320):
        visitor.page.set_viewport_size({"width": width, "height": 640})

        def fits() -> bool:
            frame, text, all_of_it = letter.evaluate(_HEIGHTS)
            return bool(all_of_it <= frame < text + 20)

        wait_until(fits)
        heights.append(letter.evaluate(_HEIGHTS)[0])
    assert heights[0] < heights[1]


def test_without_javascript_a_link_checks_for_new_emails(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(java_script_enabled=False)
    visitor.register("plain-letter@example.com")
    visitor.find_mail("plain-letter@example.com", "Confirm your email")
    assert visitor.follow("Check for new emails") == 200
    visitor.open_mail("plain-letter@example.com", "Confirm your email")
    assert visitor.page.locator(".mail-body").bounding_box()["height"] > 300  # type: ignore[index] # it is shown
