"""Passkeys with Chromium's virtual authenticator: adding, signing in, removing."""

import pytest
from playwright.sync_api import expect

from portal.i18n import Languages
from tests.browser.checks import found_by_axe
from tests.browser.conftest import NewVisitor
from tests.browser.keyring import Keyring
from tests.browser.visitor import Visitor, press_enter
from tests.cli.process import wait_until

pytestmark = pytest.mark.browser


def new_customer(visitor: Visitor, email: str) -> Keyring:
    visitor.register(email)
    visitor.confirm(email)
    return Keyring(visitor.page)


def assert_told(visitor: Visitor, words: str) -> None:
    """Press the button, and wait for the message of the page."""
    press_enter(visitor.page.locator("[data-passkey] button"))
    expect(visitor.page.get_by_role("alert")).to_have_text(visitor.said(words))
    assert found_by_axe(visitor.page) == {}


def test_a_passkey_is_added_and_offered_by_the_browser(visitor: Visitor) -> None:
    keyring = new_customer(visitor, "offered@example.com")
    keyring.add()
    visitor.add_passkey()
    visitor.press("Sign out")
    expect(visitor.page).to_have_url(f"{visitor.url}/account")


@pytest.mark.full
@pytest.mark.parametrize("locale", ["en", "cs"])
def test_passkeys_from_the_first_to_the_last(new_visitor: NewVisitor, locale: str) -> None:
    """In one browser, since each step needs the ones before it."""
    visitor = new_visitor(locale=locale)
    language = Languages().find(locale)
    assert language is not None
    visitor.translations = language.translations
    email = f"passkeys-{locale}@example.com"
    keyring = new_customer(visitor, email)
    keyring.answer_only_if_pressed()

    # Adding: no authenticator adds a second passkey.
    phone = keyring.add()
    visitor.add_passkey()
    assert_told(visitor, "There is already a passkey for your account on this device.")
    keyring.verify_user(phone, False)
    assert_told(visitor, "No passkey was added. Try again when you're ready.")
    keyring.verify_user(phone, True)
    on_phone = keyring.unplug(phone)
    laptop = keyring.add(is_synced=True)
    visitor.add_passkey()
    keyring.unplug(laptop)
    expect(visitor.page.locator("[id^=passkey-]")).to_have_count(2)

    # Signing in without a code, since the authenticator verifies its user.
    codes = visitor.set_up_two_step()
    phone = keyring.add()
    keyring.put(phone, on_phone)
    visitor.press("Sign out")
    visitor.go("/login?next=/account/profile")
    visitor.type(email="somebody@example.com")
    keyring.verify_user(phone, False)
    assert_told(visitor, "No passkey was used. Try again, or choose another way.")
    expect(visitor.page.locator("[name=email]")).to_have_value("somebody@example.com")
    keyring.verify_user(phone, True)
    visitor.press("Sign in with a passkey")
    assert visitor.path == "/account/profile"

    # Reauthentication: an authenticator that does not verify its user is only one of two steps.
    visitor.press("Sign out")
    visitor.sign_in(email)
    visitor.enter_recovery_code(codes[0], trust=True)
    visitor.press("Sign out")
    visitor.sign_in(email)
    on_phone = keyring.unplug(phone)
    unlocked = keyring.add(verifies_user=False)
    keyring.put(unlocked, on_phone)
    visitor.go("/reauthenticate?next=/account/email")
    assert found_by_axe(visitor.page) == {}
    visitor.press("Use a passkey")
    assert visitor.path == "/reauthenticate/two-step?next=/account/email"
    on_phone = keyring.unplug(unlocked)
    phone = keyring.add()
    keyring.put(phone, on_phone)
    visitor.press("Use a passkey")
    assert visitor.path == "/account/email"

    # A removed passkey is refused, and the browser forgets it.
    visitor.go("/account/passkeys")
    visitor.page.get_by_role("link", name=visitor.said("Remove"), exact=True).last.click()
    visitor.press("Remove the passkey")
    expect(visitor.page.locator("[id^=passkey-]")).to_have_count(1)
    visitor.press("Sign out")
    keyring.put(phone, on_phone)
    assert visitor.press("Sign in with a passkey") == 422
    expect(visitor.page.get_by_role("alert")).to_be_focused()
    assert found_by_axe(visitor.page) == {}
    wait_until(lambda: keyring.credentials(phone) == [])


@pytest.mark.full
def test_without_the_script_the_place_of_the_button_closes(new_visitor: NewVisitor) -> None:
    visitor = new_visitor()
    visitor.page.route("**/passkeys.js*", lambda route: route.abort())
    visitor.go("/login")
    height = "document.getElementById('form').offsetHeight"
    while_waiting = visitor.page.evaluate(height)
    visitor.page.evaluate("document.getAnimations().forEach(animation => animation.finish())")  # some seconds later
    assert while_waiting - visitor.page.evaluate(height) > 44
    visitor.faults.clear()  # the browser's own words on the missing script


@pytest.mark.full
def test_older_browsers(new_visitor: NewVisitor) -> None:
    """A browser that cannot read and write passkeys as JSON, and one without passkeys."""
    visitor = new_visitor()
    keyring = new_customer(visitor, "older@example.com")
    keyring.add()
    keyring.answer_only_if_pressed()
    visitor.page.add_init_script(
        "delete PublicKeyCredential.parseCreationOptionsFromJSON;"
        "delete PublicKeyCredential.parseRequestOptionsFromJSON;"
        "delete PublicKeyCredential.prototype.toJSON"
    )
    visitor.add_passkey()
    expect(visitor.page.get_by_role("status")).to_be_visible()
    visitor.go("/reauthenticate?next=/account/email")  # with a list of passkeys
    visitor.press("Use a passkey")
    assert visitor.path == "/account/email"
    visitor.press("Sign out")
    visitor.press("Sign in with a passkey")
    assert visitor.path == "/account"

    visitor.page.add_init_script("delete window.PublicKeyCredential")
    visitor.go("/account/passkeys")
    expect(visitor.page.get_by_text("you need JavaScript and a browser that can use passkeys")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Add a passkey")).to_have_count(0)
    visitor.press("Sign out")
    expect(visitor.page.locator("main button:visible")).to_have_text(["Show", "Sign in", " Email me a sign-in link"])
