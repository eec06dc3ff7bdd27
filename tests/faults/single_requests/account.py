"""Requests of signed-in customers about their account."""

from urllib.parse import urlsplit

from tests.faults.single_requests.world import ADA, Act, Requests, World, remembering, sending
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD
from tests.web.post import code_in, not_me_link_in


def changes_the_password(world: World) -> Act:
    typed = {"current_password": world.password, "password": world.new_password()}
    send = sending(world.ada(), "/account/password", submit_to="/account/password", **typed)
    return remembering(world, typed["password"], send)


def changes_the_profile(world: World) -> Act:
    city = f"Brno {next(world.numbers)}"
    return sending(world.ada(), "/account/profile", submit_to="/account/profile", city=city)


def ends_a_session(world: World) -> Act:
    here, _there = world.ada(), world.ada()
    path = next(form.action for form in here.open("/account/sessions").forms if form.action.endswith("/end"))
    return sending(here, "/account/sessions", submit_to=path)


def ends_other_sessions(world: World) -> Act:
    here, _there = world.ada(), world.ada()
    return sending(here, "/account/sessions", submit_to="/account/sessions/end-others")


def asks_for_a_code(world: World) -> Act:
    return sending(world.ada(), "/reauthenticate", submit_to="/reauthenticate/email")


def confirms_who_she_is_by_code(world: World) -> Act:
    browser = world.ada()
    browser.fill("/reauthenticate", submit_to="/reauthenticate/email")
    code = code_in(world.site.mails(ADA)[-1])
    return sending(browser, "/reauthenticate/code", submit_to="/reauthenticate/code", code=code)


def confirms_who_she_is(world: World) -> Act:
    return sending(world.ada(), "/reauthenticate", submit_to="/reauthenticate", password=world.password)


def signed_in_guest(world: World, email: str) -> Browser:
    """The browser of a customer without a password."""
    browser = world.site.browser()
    browser.fill("/login/link", {"email": email})
    browser.fill(world.site.link(email))
    return browser


def sets_a_first_password(world: World) -> Act:
    browser = signed_in_guest(world, world.guest().email)
    return sending(browser, "/account/password", submit_to="/account/password", password=PASSWORD)


def reports_not_me(world: World) -> Act:
    email = world.guest().email
    for _ in range(2):
        signed_in_guest(world, email)
    return sending(world.site.browser(), urlsplit(not_me_link_in(world.site.mails(email)[-1])).path)


def gets_a_copy_of_the_data(world: World) -> Act:
    return sending(world.ada(), "/account/data", submit_to="/account/export")


def deletes_the_account(world: World) -> Act:
    browser = signed_in_guest(world, world.guest().email)
    return sending(browser, "/account/delete", submit_to="/account/delete", confirm="y")


def keeps_the_account(world: World) -> Act:
    email = world.guest().email
    signed_in_guest(world, email).fill("/account/delete", {"confirm": "y"}, submit_to="/account/delete")
    return sending(world.site.browser(), world.site.link(email))


def another_customer(world: World) -> tuple[Browser, str]:
    """A customer whose address can be changed."""
    email = world.address()
    return world.site.customer(email), email


def request_address(world: World, browser: Browser) -> str:
    email = world.address()
    assert browser.fill("/account/email", {"email": email}, submit_to="/account/email").status == 302
    return email


def asks_for_another_address(world: World) -> Act:
    return sending(world.ada(), "/account/email", submit_to="/account/email", email=world.address())


def cancels_the_change_of_address(world: World) -> Act:
    browser, _ = another_customer(world)
    request_address(world, browser)
    return sending(browser, "/account/email", submit_to="/account/email/cancel")


def changes_the_address(world: World) -> Act:
    browser, _ = another_customer(world)
    return sending(world.site.browser(), world.site.link(request_address(world, browser)))


def changes_the_address_by_code(world: World) -> Act:
    browser, _ = another_customer(world)
    code = code_in(world.site.mails(request_address(world, browser))[-1])
    return sending(browser, "/account/email/code", submit_to="/account/email/code", code=code)


def undoes_the_change_of_address(world: World) -> Act:
    browser, email = another_customer(world)
    browser.fill(world.site.link(request_address(world, browser)))
    return sending(world.site.browser(), world.site.link(email))


REQUESTS: Requests = [
    *(changes_the_password, changes_the_profile, ends_a_session, ends_other_sessions),
    *(sets_a_first_password, reports_not_me),
    *(gets_a_copy_of_the_data, deletes_the_account, keeps_the_account),
    *(asks_for_a_code, confirms_who_she_is_by_code, confirms_who_she_is),
    *(asks_for_another_address, cancels_the_change_of_address, changes_the_address, changes_the_address_by_code),
    undoes_the_change_of_address,
]
