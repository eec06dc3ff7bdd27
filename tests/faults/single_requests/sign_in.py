"""Requests of visitors: to register, confirm, sign in and out, and reset the password."""

from urllib.parse import urlencode

from tests.faults.single_requests.world import (
    ADA,
    NONCE,
    RETURN,
    Act,
    Answer,
    Requests,
    World,
    registration,
    remembering,
    sending,
)
from tests.web.conftest import PASSWORD
from tests.web.post import code_in


def registers(world: World) -> Act:
    names = {"first_name": "Ada", "last_name": "Quill"}
    return sending(world.site.browser(), "/register", email=world.address(), password=PASSWORD, **names)


def asks_for_the_mail_again(world: World) -> Act:
    return sending(registration(world, world.address()), "/register/code", submit_to="/register/resend")


def confirms(world: World) -> Act:
    email = world.address()
    return sending(registration(world, email), world.site.link(email))


def confirms_elsewhere(world: World) -> Act:
    email = world.address()
    registration(world, email)
    return sending(world.site.browser(), world.site.link(email), password=PASSWORD)


def confirms_by_code(world: World) -> Act:
    email = world.address()
    browser = registration(world, email)
    return sending(browser, "/register/code", submit_to="/register/code", code=code_in(world.site.mails(email)[-1]))


def signs_in(world: World) -> Act:
    return sending(world.site.browser(), "/login", email=ADA, password=world.password)


def mistypes(world: World) -> Act:
    return sending(world.site.browser(), "/login", email=ADA, password="wrong")


def signs_out(world: World) -> Act:
    return sending(world.ada(), "/account", submit_to="/logout")


def asks_for_a_link(world: World) -> Act:
    return sending(world.site.browser(), "/login/link", email=ADA)


def signs_in_by_link(world: World) -> Act:
    browser = world.site.browser()
    browser.fill("/login/link", {"email": ADA})
    return sending(browser, world.site.link(ADA))


def signs_in_by_code(world: World) -> Act:
    browser = world.site.browser()
    browser.fill("/login/link", {"email": ADA})
    return sending(browser, "/login/code", submit_to="/login/code", code=code_in(world.site.mails(ADA)[-1]))


def asks_for_a_reset(world: World) -> Act:
    return sending(world.site.browser(), "/password/reset", email=ADA)


def resets(world: World) -> Act:
    world.site.browser().ask_for_reset(ADA)
    password = world.new_password()
    return remembering(world, password, sending(world.site.browser(), world.site.link(ADA), password=password))


def chooses_a_language(world: World) -> Act:
    return sending(world.ada(), "/account", submit_to="/language", locale="en")


def goes_back_to_the_shop(world: World) -> Act:
    browser = world.ada()
    form = browser.send(f"/login?{urlencode({'return_url': RETURN, 'nonce': NONCE})}").form("/continue")

    def go() -> Answer:
        page = browser.post(form)
        return page.status, page.headers.get("Location", "").partition("?")[0]

    return go


REQUESTS: Requests = [
    *(registers, asks_for_the_mail_again, confirms, confirms_elsewhere, confirms_by_code),
    *(signs_in, mistypes, signs_out, asks_for_a_link, signs_in_by_link, signs_in_by_code),
    *(asks_for_a_reset, resets, chooses_a_language, goes_back_to_the_shop),
]
