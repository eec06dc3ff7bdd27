"""A passkey in the frame: it signs in there, and is added at the portal itself."""

import pytest
from playwright.sync_api import expect

from tests.browser.checks import found_by_axe
from tests.browser.embedding.conftest import HELLO, NONCE, sign_up
from tests.browser.keyring import Keyring
from tests.browser.parents import Shopper
from tests.browser.visitor import PASSWORD, press_enter

pytestmark = [pytest.mark.browser, pytest.mark.full]


def test_a_passkey_signs_in_where_the_page_around_the_frame_allows_it(shopper: Shopper) -> None:
    email = "keys@example.com"
    sign_up(shopper, email)
    with shopper.page.context.expect_page() as opened:
        shopper.frame.get_by_role("link", name="Add a passkey").click()
    opened.value.close()
    shopper.fill("Sign out")

    page = shopper.page
    keyring = Keyring(page)
    keyring.answer_only_if_pressed()
    keyring.add()
    page.goto(f"{shopper.parents.portal}/login?next=/account/passkeys")
    for name, text in {"email": email, "password": PASSWORD}.items():
        page.locator(f"main [name={name}]").fill(text)
    press_enter(page.get_by_role("button", name="Sign in", exact=True))
    press_enter(page.get_by_role("button", name="Add a passkey"))
    expect(page.get_by_text("Not used yet")).to_be_visible()

    shopper.visit(**{"data-nonce": NONCE})
    shopper.heading("Sign in")
    expect(shopper.frame.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
    assert found_by_axe(page.frames[1]) == {}
    shopper.fill("Sign in with a passkey")
    shopper.heading(HELLO)
    code = shopper.told("portal:signed-in")[0]["detail"]["code"]
    assert shopper.parents.redeem(code, NONCE)["account"]["email"] == email

    shopper.fill("Sign out")
    shopper.heading("Sign in")
    shopper.visit(path="/bare")
    shopper.heading("Sign in")
    expect(shopper.frame.get_by_role("button")).to_have_text(["Show", "Sign in", "Email me a sign-in link"])
