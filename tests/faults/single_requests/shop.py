"""Requests of a shop's server."""

from urllib.parse import parse_qs, urlencode, urlsplit

from tests.faults.single_requests.world import (
    ADA,
    NONCE,
    RETURN,
    Act,
    Requests,
    World,
    asking,
    registration,
    remembering,
)
from tests.web.conftest import PASSWORD


def shop_redeems(world: World) -> Act:
    browser = world.ada()
    page = browser.send(f"/login?{urlencode({'return_url': RETURN, 'nonce': NONCE})}")
    (code,) = parse_qs(urlsplit(browser.post(page.form("/continue")).location).query)["code"]
    return asking(world, "redeem-handover", code=code, nonce=NONCE)


def shop_signs_in(world: World) -> Act:
    return asking(world, "login", email=ADA, password=world.password)


def shop_signs_in_by_magic_auth(world: World) -> Act:
    return asking(world, "magic-auth", email=world.address(), firstName="Ada")


def shop_registers(world: World) -> Act:
    return asking(world, "register-account", email=world.address(), password=PASSWORD)


def shop_confirms(world: World) -> Act:
    email = world.address()
    registration(world, email)
    return asking(world, "register-account-verify", token=world.site.link(email).rpartition("/")[2])


def shop_asks_for_a_reset(world: World) -> Act:
    return asking(world, "reset-password", email=ADA)


def shop_resets(world: World) -> Act:
    world.site.browser().ask_for_reset(ADA)
    token = world.site.link(ADA).rpartition("/")[2]
    password = world.new_password()
    return remembering(world, password, asking(world, "set-new-password", token=token, password=password))


def shop_signs_out(world: World) -> Act:
    answer = world.shop.post("login", email=ADA, password=world.password)
    return asking(world, "logout", identityId=world.shop.identity(answer))


REQUESTS: Requests = [
    *(shop_redeems, shop_signs_in, shop_signs_in_by_magic_auth, shop_registers, shop_confirms),
    *(shop_asks_for_a_reset, shop_resets, shop_signs_out),
]
