"""Several tabs, repeated clicks and several customers do not disturb each other."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import NewVisitor, with_and_without_script
from tests.browser.visitor import PASSWORD, Visitor
from tests.cli.process import Served, run_portal, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.full]

SECOND = "nine grey otters swim"
OTHERS = "four red foxes sleep"


def member(new_visitor: NewVisitor, email: str, *, script: bool = True) -> Visitor:
    visitor = new_visitor(java_script_enabled=script)
    visitor.register(email)
    visitor.confirm(email)
    return visitor


def fill_the_change_of_password(visitor: Visitor, *, script: bool) -> None:
    visitor.go("/account/password")
    visitor.type(current_password=PASSWORD, password=SECOND)
    if script:  # the verdict on the password has arrived, so there is no further request
        expect(visitor.page.locator(".verdict")).not_to_have_text("")


def codes(visitor: Visitor, email: str) -> list[str]:
    """Return the codes of all sign-in emails to an address, the oldest first."""
    visitor.find_mail(email, "Sign in to")
    letters = visitor.page.locator("li", has_text=email).get_by_role("link", name="Sign in to").all()
    found = []
    for path in reversed([letter.get_attribute("href") for letter in letters]):
        code = re.search(r"(?m)^(\d{6})$", visitor.context.request.get(f"{visitor.url}{path}").text())
        assert code
        found.append(code[1])
    return found


# Two tabs.


@with_and_without_script
def test_a_tab_left_open_leads_to_signing_in_and_back_after_another_has_signed_out(
    new_visitor: NewVisitor, script: bool
) -> None:
    email = f"two-tabs-{script}@example.com".lower()
    tab = member(new_visitor, email, script=script)
    other = new_visitor(context=tab.context)
    other.go("/account")
    other.press("Sign out")

    tab.follow("Change password")
    assert tab.path == "/login?next=/account/password"
    tab.type(email=email, password=PASSWORD)
    tab.press("Sign in")
    assert tab.path == "/account/password"


@with_and_without_script
def test_a_form_left_open_changes_nothing_after_another_tab_has_signed_out(
    new_visitor: NewVisitor, script: bool
) -> None:
    email = f"left-open-{script}@example.com".lower()
    tab = member(new_visitor, email, script=script)
    fill_the_change_of_password(tab, script=script)
    other = new_visitor(context=tab.context)
    other.go("/account")
    other.press("Sign out")

    tab.press("Save new password")
    assert tab.path == "/login?next=/account/password"
    assert tab.sign_in(email) == 200


@with_and_without_script
def test_a_form_opened_as_one_customer_does_nothing_to_the_next(new_visitor: NewVisitor, script: bool) -> None:
    one, next_one = (f"{name}-{script}@example.com".lower() for name in ("one", "next"))
    member(new_visitor, next_one)
    tab = member(new_visitor, one, script=script)
    fill_the_change_of_password(tab, script=script)
    other = new_visitor(context=tab.context)
    other.go("/account")
    other.press("Sign out")
    other.sign_in(next_one)

    assert tab.press("Save new password") == 400
    expect(tab.summary).to_contain_text("Your session on this page expired")
    expect(tab.page.locator("[autocomplete=username]")).to_have_value(next_one)
    assert other.go("/account") == 200
    assert next_one in other.page.content()
    for email in (one, next_one):
        assert new_visitor().sign_in(email) == 200


def test_signing_out_in_a_tab_of_the_customer_before_asks_first(new_visitor: NewVisitor) -> None:
    member(new_visitor, "after@example.com")
    tab = member(new_visitor, "before@example.com")
    other = new_visitor(context=tab.context)
    other.go("/account")
    other.press("Sign out")
    other.sign_in("after@example.com")

    assert tab.press("Sign out") == 400
    assert other.go("/account") == 200
    assert "after@example.com" in other.page.content()
    assert tab.page.get_by_role("main").get_by_role("button", name="Sign out").count() == 1


@with_and_without_script
def test_an_expired_form_is_shown_again_as_typed_and_then_works(new_visitor: NewVisitor, script: bool) -> None:
    email = f"stale-{script}@example.com".lower()
    tab = member(new_visitor, email, script=script)
    tab.press("Sign out")
    other = new_visitor(context=tab.context)
    tab.go("/login")
    tab.type(email=email, password=PASSWORD)
    tab.page.check("[name=remember]")
    other.sign_in(email)

    other.press("Sign out")
    assert tab.press("Sign in") == 400
    expect(tab.summary).to_contain_text("Your session on this page expired. Please send the form again.")
    expect(tab.page.locator("main [name=email]")).to_have_value(email)
    expect(tab.page.locator("main [name=password]")).to_have_value("")
    expect(tab.page.locator("[name=remember]")).to_be_checked()
    tab.type(password=PASSWORD)
    assert tab.press("Sign in") == 200
    assert tab.path == "/account"


@with_and_without_script
def test_a_code_typed_after_the_link_was_used_in_another_tab_leads_on(new_visitor: NewVisitor, script: bool) -> None:
    email = f"both-tabs-{script}@example.com".lower()
    tab = member(new_visitor, email, script=script)
    tab.press("Sign out")
    tab.go("/login/link?next=/account/password")
    tab.type(email=email)
    tab.press("Email me a sign-in link")
    tab.type(code="123456")
    other = new_visitor(context=tab.context)
    other.go(other.link_to(email, "Sign in to"))
    other.page.reload()
    assert other.press("Sign in") == 200
    assert other.path == "/account/password"

    assert tab.press("Sign in") == 200
    assert tab.path == "/account/password"
    tab.page.go_back()
    tab.page.reload()
    assert tab.path == "/account/password"


@with_and_without_script
def test_a_typed_email_address_is_carried_along(new_visitor: NewVisitor, script: bool) -> None:
    visitor = new_visitor(java_script_enabled=script)
    visitor.go("/login")
    visitor.type(email="typed@example.com")
    if not script:  # a link carries no typed values; the address of the last form is known
        visitor.press("Sign in")
    visitor.follow("Forgot your password?")
    expect(visitor.page.locator("main [name=email]")).to_have_value("typed@example.com")
    visitor.type(email="changed@example.com")
    visitor.page.get_by_role("contentinfo").get_by_role("button", name="Čeština").click()
    expect(visitor.page.locator("html")).to_have_attribute("lang", "cs")
    expect(visitor.page.locator("main [name=email]")).to_have_value("changed@example.com")


# Pressed twice.


def test_a_button_pressed_again_before_the_answer_creates_one_account(new_visitor: NewVisitor, portal: Served) -> None:
    email = "impatient@example.com"
    visitor = new_visitor(java_script_enabled=False)
    visitor.go("/register")
    visitor.type(email=email, password=PASSWORD, first_name="Ada", last_name="Quill")
    unheard: list[Route] = []

    def answer_the_second_only(route: Route) -> None:
        if not unheard:
            route.fetch(max_redirects=0)  # the server handles the request; the browser never gets the response
            unheard.append(route)
        else:
            route.continue_()

    visitor.page.route("**/register", answer_the_second_only)
    visitor.page.get_by_role("button", name="Create an account", exact=True).focus()
    visitor.page.keyboard.press("Enter")

    def was_taken() -> bool:
        visitor.page.wait_for_timeout(10)  # Playwright answers the route in this thread
        return bool(unheard)

    wait_until(was_taken)
    visitor.page.keyboard.press("Enter")
    expect(visitor.heading).to_have_text("Check your email")
    visitor.page.unroute_all()

    letters = visitor.page.locator("li", has_text=email).get_by_role("link", name="Confirm your email")

    def have_arrived() -> bool:
        visitor.go("/dev/mailbox")
        return letters.count() == 2

    wait_until(have_arrived)
    assert visitor.confirm(email) == 200
    assert visitor.path == "/account"
    listed = run_portal(portal.log.parent / "instance", "customer", "list", "--search", email)
    assert listed.stdout.count(email) == 1


def test_link_and_code_of_one_email_used_in_parallel_sign_in_once(new_visitor: NewVisitor) -> None:
    email = "both-ways@example.com"
    member(new_visitor, email)
    laptop, phone = new_visitor(), new_visitor()
    laptop.go("/login/link")
    laptop.type(email=email)
    laptop.press("Email me a sign-in link")
    phone.go(phone.link_to(email, "Sign in to"))
    laptop.type(code=codes(new_visitor(), email)[0])

    for visitor in (laptop, phone):
        visitor.page.evaluate(
            "setTimeout(() => document.querySelector('main form').requestSubmit(), 100)"  # both are sent by then
        )
    for visitor in (laptop, phone):
        expect(visitor.page).not_to_have_title(re.compile("^(Check your email|Sign in) "))
    ways = [visitor.path == "/account" for visitor in (laptop, phone)]
    assert sorted(ways) == [False, True]
    for visitor, way_in in zip((laptop, phone), ways, strict=True):
        visitor.go("/account")
        assert (visitor.path == "/account") == way_in


# Other customers.


def test_sign_in_requests_by_attackers_end_no_email_of_the_customer(new_visitor: NewVisitor) -> None:
    email = "wanted@example.com"
    member(new_visitor, email)
    mine, stranger = new_visitor(), new_visitor()
    for visitor in (mine, stranger, stranger):
        visitor.go("/login/link")
        visitor.type(email=email)
        visitor.press("Email me a sign-in link")
    for wrong in ("000 001", "000 002", "000 003", "000 004", "000 005", "000 006"):
        stranger.go("/login/code")
        stranger.type(code=wrong)
        assert stranger.press("Sign in") in (422, 429)

    mine.type(code=codes(new_visitor(), email)[0])
    assert mine.press("Sign in") == 200
    assert mine.path == "/account"


def test_registrations_by_attackers_end_no_registration_of_the_customer(new_visitor: NewVisitor) -> None:
    email = "claimed@example.com"
    mine, stranger = new_visitor(), new_visitor()
    mine.register(email)
    link = mine.link_to(email)
    stranger.register(email, password=OTHERS, first="Eve", last="Dropper")

    mine.go(link)
    mine.press("Confirm email address")
    assert mine.path == "/account"
    expect(mine.heading).to_contain_text("Ada Quill")
    assert new_visitor().sign_in(email, OTHERS) == 422
    assert new_visitor().sign_in(email) == 200


def test_reset_requests_by_attackers_end_no_session_or_link_of_the_customer(new_visitor: NewVisitor) -> None:
    email = "asked-for@example.com"
    mine, stranger = member(new_visitor, email), new_visitor()
    asking = new_visitor()
    asking.ask_for_reset(email)
    link = asking.link_to(email, "Set a new password")
    for _ in range(2):
        stranger.ask_for_reset(email)

    assert mine.go("/account") == 200
    assert mine.path == "/account"
    assert asking.go(link) == 200
    asking.type(password=SECOND)
    assert asking.press("Save new password") == 200
    assert new_visitor().sign_in(email, SECOND) == 200
