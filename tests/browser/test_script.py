"""What JavaScript adds to every page."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewVisitor
from tests.browser.visitor import PASSWORD, Visitor

pytestmark = pytest.mark.browser


# Instead of sending a form, record the state of its page, after the page's own script has handled the event.
_HOLD = """window.sent = [];
window.addEventListener("submit", event => {
  const [form, button] = [event.target, event.submitter];
  if (!event.defaultPrevented) window.sent.push({
    fields: [...form.querySelectorAll("main [name]:not([type=hidden])")].map(field => `${field.name}: ${field.type}`),
    busy: form.hasAttribute("data-busy"),
    disabled: button.getAttribute("aria-disabled"),
  });
  event.preventDefault();
})"""


def test_a_button_shows_the_password_and_says_its_state(visitor: Visitor) -> None:
    visitor.go("/login")
    visitor.type(password=PASSWORD)
    password = visitor.page.locator("[name=password]")
    show = visitor.page.get_by_role("button", name="Show: Password", pressed=False)
    hide = visitor.page.get_by_role("button", name="Hide: Password", pressed=True)

    expect(show).to_have_text("Show")
    show.click()
    expect(password).to_have_attribute("type", "text")
    expect(password).to_have_value(PASSWORD)
    expect(hide).to_have_text("Hide")
    hide.click()
    expect(password).to_have_attribute("type", "password")
    expect(show).to_be_visible()


@pytest.mark.full
def test_every_password_has_its_own_button(new_visitor: NewVisitor) -> None:
    visitor = new_visitor()
    visitor.register("two-passwords@example.com")
    visitor.confirm("two-passwords@example.com")
    visitor.go("/account/password")

    visitor.page.get_by_role("button", name="Show: New password").click()
    expect(visitor.page.locator("[name=password]")).to_have_attribute("type", "text")
    expect(visitor.page.locator("[name=current_password]")).to_have_attribute("type", "password")


def test_the_password_is_hidden_again_when_it_is_sent(visitor: Visitor) -> None:
    visitor.go("/login")
    visitor.type(email="nobody@example.com", password=PASSWORD)
    visitor.page.get_by_role("button", name="Show: Password").click()
    visitor.page.evaluate(_HOLD)

    visitor.page.get_by_role("button", name="Sign in", exact=True).click()
    (sent,) = visitor.page.evaluate("sent")
    assert sent["fields"] == ["email: email", "password: password", "remember: checkbox"]
    expect(visitor.page.get_by_role("button", name="Show: Password", pressed=False)).to_be_visible()


def test_a_form_that_is_being_sent_is_busy_and_is_not_sent_again(visitor: Visitor) -> None:
    visitor.go("/password/reset")
    visitor.page.evaluate(_HOLD)
    button = visitor.page.get_by_role("button", name="Email me a reset link")

    for _ in range(3):
        button.dispatch_event("click")
    visitor.page.locator("[name=email]").press("Enter")
    assert visitor.page.evaluate("sent") == [{"fields": ["email: email"], "busy": True, "disabled": "true"}]
    expect(button).to_be_disabled()


def test_a_double_click_posts_once(visitor: Visitor) -> None:
    posts: list[str] = []
    visitor.page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    visitor.go("/password/reset")
    visitor.type(email="double-click@example.com")

    visitor.page.get_by_role("button", name="Email me a reset link").dblclick()
    expect(visitor.heading).to_have_text("Check your email")
    assert posts == [f"{visitor.url}/password/reset"]


def test_a_form_from_the_back_forward_cache_can_be_sent_again(visitor: Visitor) -> None:
    visitor.go("/login")
    visitor.page.evaluate("document.forms[0].addEventListener('submit', event => event.preventDefault())")
    button = visitor.page.get_by_role("button", name="Sign in", exact=True)
    button.click()
    expect(button).to_be_disabled()

    visitor.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(button).to_be_enabled()
    expect(visitor.page.locator("form[data-busy]")).to_have_count(0)


@pytest.mark.full
def test_no_token_stays_in_the_address_bar(new_visitor: NewVisitor) -> None:
    visitor = new_visitor()
    email = "hidden@example.com"
    visitor.register(email)
    confirmation = visitor.link_to(email)

    other = new_visitor()
    other.go(confirmation)
    assert other.path == "/register/confirm"
    other.page.reload()
    expect(other.page.locator("main")).to_contain_text(email)
    assert other.press("Confirm email address") == 422
    assert other.path == "/register/confirm"
    other.page.reload()
    other.type(password=PASSWORD)
    assert other.press("Confirm email address") == 200
    assert other.path == "/account"
    other.press("Sign out")

    other.ask_for_reset(email)
    reset = other.link_to(email, "Set a new password")
    other.go(reset)
    assert other.path == "/password/new"
    other.type(password="short")
    assert other.press("Save new password") == 422
    assert other.path == "/password/new"
    other.follow("Customer portal")
    other.page.go_back()
    expect(other.heading).to_have_text("Set a new password")
    assert confirmation.rsplit("/", 1)[1] not in other.page.url
    assert reset.rsplit("/", 1)[1] not in other.page.url


@pytest.mark.parametrize(
    ("path", "field", "text"),
    [
        ("/login", "email", "ada@example.com"),
        ("/login", "password", PASSWORD),
        ("/register", "password", PASSWORD),
        ("/login/code", "code", " 12 34-56 "),
    ],
)
def test_every_field_accepts_pasted_text(visitor: Visitor, path: str, field: str, text: str) -> None:
    visitor.go("/login/link")
    visitor.type(email=f"pastes-{field}@example.com")
    visitor.press("Email me a sign-in link")
    visitor.go("/register")
    visitor.type(first_name=text)
    visitor.page.locator("[name=first_name]").select_text()
    visitor.page.keyboard.press("ControlOrMeta+C")

    visitor.go(path)
    visitor.page.locator(f"main [name={field}]").fill("")
    visitor.page.keyboard.press("ControlOrMeta+V")
    expect(visitor.page.locator(f"main [name={field}]")).to_have_value(text)


def test_everything_works_without_javascript(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(java_script_enabled=False)
    visitor.go("/login")
    expect(visitor.page.locator("main button:visible")).to_have_text(["Sign in", " Email me a sign-in link"])
    expect(visitor.page.get_by_label("Password")).to_be_editable()


def test_an_error_disappears_when_its_field_is_corrected(visitor: Visitor) -> None:
    visitor.go("/login")
    visitor.press("Sign in")
    lines = visitor.page.locator(".problems li")
    expect(lines).to_have_text(["Enter your email address.", "Enter your password."])
    email, password = (visitor.page.locator(f"main [name={name}]") for name in ("email", "password"))

    email.fill("ada@example.com")
    expect(lines).to_have_text(["Enter your password."])
    expect(visitor.page.locator("#email-error")).to_have_count(0)
    assert (email.get_attribute("aria-invalid"), email.get_attribute("aria-describedby")) == (None, None)
    assert visitor.page.title().startswith("Error: ")

    password.fill("x")
    expect(visitor.page.locator(".problems, .field-error, [aria-invalid]")).to_have_count(0)
    assert visitor.page.title().startswith("Sign in ")


def test_a_new_password_that_is_corrected_keeps_its_hint(visitor: Visitor) -> None:
    visitor.go("/register")
    visitor.type(first_name="Ada", last_name="Quill", email="hint@example.com")
    visitor.press("Create an account")
    password = visitor.page.locator("main [name=password]")
    expect(password).to_be_focused()
    expect(password).to_have_accessible_description(re.compile("At least 8 characters.*Choose a password.$"))

    password.press_sequentially("x")
    expect(password).to_have_accessible_description(re.compile("^At least 8 characters"))
    assert password.get_attribute("aria-invalid") is None
    expect(visitor.summary).to_have_count(0)


def test_the_other_button_of_sign_in_takes_the_typed_address_along(visitor: Visitor) -> None:
    visitor.go("/login?next=/account/password")
    visitor.type(email="by-email@example.com")
    visitor.press("Email me a sign-in link")
    assert visitor.path == "/login/code"
    expect(visitor.page.locator(".address")).to_have_text("by-email@example.com")
