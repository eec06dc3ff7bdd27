"""What a customer does, from the first visit to the third password, with JavaScript and without it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewVisitor, with_and_without_script
from tests.browser.visitor import PASSWORD, Visitor

pytestmark = pytest.mark.browser

SECOND, THIRD = "nine grey otters swim", "four red foxes sleep"


def click_link_in_html(visitor: Visitor, words: str) -> None:
    with visitor.page.expect_navigation():
        visitor.page.frame_locator("iframe").get_by_role("link", name=words, exact=True).click()


def click_link_in_text(visitor: Visitor) -> None:
    with visitor.page.expect_navigation():
        visitor.page.locator("pre a").first.click()


@with_and_without_script
def test_a_new_customer_can_do_everything(new_visitor: NewVisitor, script: bool) -> None:
    visitor = new_visitor(java_script_enabled=script)
    email = f"newcomer-{script}@example.com".lower()

    assert visitor.go("/") == 200
    visitor.follow("Create an account")
    assert visitor.register(email) == 200
    expect(visitor.heading).to_have_text("Check your email")
    expect(visitor.page.locator(".address")).to_have_text(email)

    visitor.open_mail(email, "Confirm your email")
    click_link_in_html(visitor, "Confirm email address")
    expect(visitor.heading).to_have_text("Confirm your email address")
    visitor.press("Confirm email address")
    assert visitor.path == "/account"
    expect(visitor.page.get_by_role("status")).to_contain_text("Your email address is confirmed.")
    expect(visitor.heading).to_contain_text("Ada Quill")
    number = re.compile(r"^[0-9A-Za-z]{16}\b")
    expect(visitor.page.locator("dd")).to_have_text(["Ada Quill", email, "Not given", number])

    visitor.follow("Change password")
    visitor.type(current_password=PASSWORD, password=SECOND)
    visitor.press("Save new password")
    expect(visitor.page.get_by_role("status")).to_contain_text("Your password is changed.")
    visitor.press("Sign out")
    expect(visitor.page.get_by_role("status")).to_have_text("You're signed out.")
    visitor.go("/account")
    assert visitor.path == "/login?next=/account"
    visitor.sign_in(email, SECOND)
    assert visitor.path == "/account"
    visitor.press("Sign out")

    visitor.follow("Forgot your password?")
    visitor.type(email=email)
    visitor.press("Email me a reset link")
    expect(visitor.heading).to_have_text("Check your email")
    visitor.open_mail(email, "Set a new password")
    click_link_in_text(visitor)
    expect(visitor.heading).to_have_text("Set a new password")
    visitor.type(password=PASSWORD)
    assert visitor.press("Save new password") == 422
    expect(visitor.summary).to_contain_text("You've used this password before.")
    visitor.type(password=THIRD)
    assert visitor.press("Save new password") == 200
    expect(visitor.page.get_by_role("status")).to_contain_text("Your new password is set and you're signed in.")
    expect(visitor.heading).to_contain_text("Ada Quill")
    visitor.press("Sign out")
    assert visitor.sign_in(email, SECOND) == 422
    visitor.type(password=THIRD)
    visitor.press("Sign in")
    expect(visitor.heading).to_contain_text("Ada Quill")


@pytest.mark.full
@with_and_without_script
def test_both_views_of_a_mail_lead_to_the_same_page(new_visitor: NewVisitor, script: bool) -> None:
    visitor = new_visitor(java_script_enabled=script)
    email = f"reader-{script}@example.com".lower()
    visitor.register(email)
    visitor.open_mail(email, "Confirm your email")
    link = visitor.page.locator("pre a").first.get_attribute("href")

    for click in (lambda: click_link_in_html(visitor, "Confirm email address"), lambda: click_link_in_text(visitor)):
        visitor.open_mail(email, "Confirm your email")
        with visitor.page.expect_request(lambda request: request.url == link):
            click()
        expect(visitor.heading).to_have_text("Confirm your email address")
        expect(visitor.page.locator(".address")).to_have_text(email)


@pytest.mark.full
@with_and_without_script
def test_another_browser_must_type_the_password_to_confirm(new_visitor: NewVisitor, script: bool) -> None:
    email = f"elsewhere-{script}@example.com".lower()
    new_visitor().register(email)
    other = new_visitor(java_script_enabled=script)
    other.open_mail(email, "Confirm your email")
    click_link_in_html(other, "Confirm email address")

    assert other.press("Confirm email address") == 422
    expect(other.summary).to_contain_text("Enter the password you chose when registering.")
    other.type(password="six wrong geese honk")
    assert other.press("Confirm email address") == 422
    expect(other.summary).to_contain_text("This isn't the password you chose when registering.")
    other.type(password=PASSWORD)
    assert other.press("Confirm email address") == 200
    assert other.path == "/account"
    expect(other.heading).to_contain_text("Ada Quill")


@pytest.mark.full
@with_and_without_script
def test_an_unconfirmed_customer_can_resend_the_email_from_sign_in(new_visitor: NewVisitor, script: bool) -> None:
    email = f"unconfirmed-{script}@example.com".lower()
    new_visitor().register(email)
    visitor = new_visitor(java_script_enabled=script)

    assert visitor.sign_in(email) == 422
    expect(visitor.summary).to_contain_text("Please confirm your email address first.")
    assert visitor.press("Resend the email") == 200
    expect(visitor.page.get_by_role("status")).to_have_text("We've sent the email again.")
    expect(visitor.page.locator(".address")).to_have_text(email)


@with_and_without_script
def test_typed_values_are_kept_except_passwords(new_visitor: NewVisitor, script: bool) -> None:
    visitor = new_visitor(java_script_enabled=script)
    visitor.go("/register")
    visitor.type(email=" Ada@@example ", password=PASSWORD, first_name="Ada", phone="12", company_name="Quill & Co")
    visitor.page.check("[name=newsletter]")

    assert visitor.press("Create an account") == 422
    main = visitor.page.locator("main")
    expect(main.locator("[name=first_name]")).to_have_value("Ada")
    expect(main.locator("[name=phone]")).to_have_value("12")
    expect(main.locator("[name=company_name]")).to_have_value("Quill & Co")
    expect(main.locator("[name=email]")).to_have_value(re.compile("Ada@@example"))
    expect(main.locator("[name=newsletter]")).to_be_checked()
    expect(main.locator("[name=password]")).to_have_value("")
