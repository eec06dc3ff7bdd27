"""A copy of the data and the deletion of an account, in a browser, with JavaScript and without it."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewVisitor, with_and_without_script
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.full]


def member(new_visitor: NewVisitor, email: str, *, script: bool) -> Visitor:
    visitor = new_visitor(java_script_enabled=script)
    visitor.register(email)
    visitor.confirm(email)
    return visitor


@with_and_without_script
def test_a_copy_is_saved_as_a_file_and_another_can_be_had_at_once(new_visitor: NewVisitor, script: bool) -> None:
    email = f"copy-{script}@example.com".lower()
    visitor = member(new_visitor, email, script=script)
    visitor.follow("Your data")
    for _ in range(2):
        with visitor.page.expect_download() as download:
            visitor.page.get_by_role("button", name="Download it (JSON)").click()
        assert download.value.suggested_filename == "account-data.json"
        assert json.loads(download.value.path().read_bytes())["email"] == email
        expect(visitor.page.locator("form[data-busy]")).to_have_count(0)


def test_the_copy_to_read_is_printed_without_navigation(new_visitor: NewVisitor) -> None:
    visitor = member(new_visitor, "print@example.com", script=True)
    visitor.go("/account/data")
    visitor.press("Read or print it")
    expect(visitor.heading).to_have_text("Your data at Customer portal")
    navigation = visitor.page.locator(".account-nav, .site-nav, .site-footer")
    expect(navigation.first).to_be_visible()
    visitor.page.emulate_media(media="print")
    assert [part.is_visible() for part in navigation.all()] == [False] * 3
    expect(visitor.page.get_by_text("print@example.com").first).to_be_visible()


@with_and_without_script
def test_an_account_is_deleted_and_kept_after_all(new_visitor: NewVisitor, script: bool) -> None:
    email = f"leaving-{script}@example.com".lower()
    visitor = member(new_visitor, email, script=script)
    visitor.go("/account/delete")
    visitor.page.get_by_role("checkbox").check()
    visitor.press("Delete my account")
    expect(visitor.page.get_by_role("status")).to_contain_text("Your account is closed.")
    assert visitor.sign_in(email) == 422
    visitor.go(visitor.link_to(email, "Your account with"))
    assert (visitor.path == "/account/keep") == script
    visitor.press("Keep my account")
    expect(visitor.page.get_by_role("status")).to_contain_text("Your account is kept.")
    expect(visitor.page.get_by_label("Email address")).to_have_value(email)
    visitor.sign_in(email)
    assert visitor.path == "/account"
