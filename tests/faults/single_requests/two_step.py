"""Requests of customers with two-step verification."""

import pyotp

from tests.faults.single_requests.world import Act, Requests, World, sending
from tests.web.authenticator import SETTINGS, SIGN_IN, Phone, pass_step, secret_on, set_up
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD


def with_a_second_step(world: World) -> tuple[Browser, Phone, str]:
    """A customer who has just set up two-step verification, with the address."""
    email = world.address()
    browser = world.site.customer(email)
    return browser, set_up(world.site, browser), email


def asked_for_a_code(world: World) -> tuple[Browser, Phone]:
    """A customer whose sign-in waits for the second step."""
    _, phone, email = with_a_second_step(world)
    browser = world.site.browser()
    assert browser.sign_in(email, PASSWORD).location == SIGN_IN
    return browser, phone


def in_a_trusted_browser(world: World) -> tuple[Browser, Phone]:
    """A customer who is signed in by the password alone."""
    _, phone, email = with_a_second_step(world)
    browser = world.site.browser()
    browser.sign_in(email, PASSWORD)
    assert pass_step(browser, phone.code(), trust="y").status == 302
    browser.sign_out()
    assert browser.sign_in(email, PASSWORD).location == "/account"
    return browser, phone


def sets_two_step_up(world: World) -> Act:
    browser = world.site.customer(world.address())
    return sending(browser, SETTINGS, submit_to=SETTINGS, code=pyotp.TOTP(secret_on(browser.open(SETTINGS))).now())


def makes_recovery_codes(world: World) -> Act:
    return sending(with_a_second_step(world)[0], SETTINGS, submit_to=f"{SETTINGS}/recovery-codes")


def turns_two_step_off(world: World) -> Act:
    return sending(with_a_second_step(world)[0], SETTINGS, submit_to=f"{SETTINGS}/off")


def asks_for_codes_everywhere_again(world: World) -> Act:
    browser, _ = in_a_trusted_browser(world)
    return sending(browser, SETTINGS, submit_to=f"{SETTINGS}/forget-browsers")


def signs_in_with_a_second_step(world: World) -> Act:
    return sending(world.site.browser(), "/login", email=with_a_second_step(world)[2], password=PASSWORD)


def enters_a_code(world: World) -> Act:
    browser, phone = asked_for_a_code(world)
    return sending(browser, SIGN_IN, submit_to=SIGN_IN, code=phone.code(), trust="y")


def mistypes_a_code(world: World) -> Act:
    browser, _ = asked_for_a_code(world)
    return sending(browser, SIGN_IN, submit_to=SIGN_IN, code="12345")


def enters_a_recovery_code(world: World) -> Act:
    browser, phone = asked_for_a_code(world)
    return sending(browser, SIGN_IN, submit_to=SIGN_IN, code=phone.recovery_codes[0])


def confirms_who_she_is_by_the_second_step(world: World) -> Act:
    browser, phone = in_a_trusted_browser(world)
    return sending(browser, "/reauthenticate", submit_to="/reauthenticate/two-step", code=phone.code())


REQUESTS: Requests = [
    *(sets_two_step_up, makes_recovery_codes, turns_two_step_off, asks_for_codes_everywhere_again),
    *(signs_in_with_a_second_step, enters_a_code, mistypes_a_code, enters_a_recovery_code),
    confirms_who_she_is_by_the_second_step,
]
