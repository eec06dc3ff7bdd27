"""Every documented failure of every endpoint, caused as customers cause it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import update

from portal.storage.models import Organisation
from tests.api.actions import (
    EMAIL,
    WRONG_PASSWORD,
    asked_reset,
    fail_to_log_in,
    join,
    log_in,
    register,
    set_password,
    token,
)
from tests.api.shop import Answer, Shop
from tests.web.conftest import PASSWORD, Site

Act = Callable[[Site, Shop], Answer]


def create_no_customers(site: Site) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(magic_auth_creates=False))


def unknown_address(_site: Site, shop: Shop) -> Answer:
    return log_in(shop)


def guest(site: Site, shop: Shop) -> Answer:
    site.guest(EMAIL)
    return log_in(shop)


def wrong_password(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    return log_in(shop, WRONG_PASSWORD)


def banned(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    site.ban(EMAIL)
    return log_in(shop)


def banned_with_a_wrong_password(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    site.ban(EMAIL)
    return log_in(shop, WRONG_PASSWORD)


def too_many_logins(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    fail_to_log_in(shop, 10)
    return log_in(shop)


def too_many_logins_of_an_unknown_address(_site: Site, shop: Shop) -> Answer:
    fail_to_log_in(shop, 10)
    return log_in(shop)


def unverified(_site: Site, shop: Shop) -> Answer:
    register(shop)
    return log_in(shop)


def a_guest_who_registers_with_the_waiting_password(site: Site, shop: Shop) -> Answer:
    site.guest(EMAIL)
    register(shop)
    return log_in(shop)


def a_guest_who_registers_with_another(site: Site, shop: Shop) -> Answer:
    site.guest(EMAIL)
    register(shop)
    return log_in(shop, WRONG_PASSWORD)


LOGIN = [
    (unknown_address, "E002", "Customer e-mail does not exist."),
    (guest, "E003", "Customer have not a registered account."),
    (wrong_password, "E004", "Wrong e-mail or password."),
    (banned, "E005", "Customer account has been banned."),
    (banned_with_a_wrong_password, "E004", "Wrong e-mail or password."),
    (too_many_logins, "E006", "Too many login attempts."),
    (too_many_logins_of_an_unknown_address, "E006", "Too many login attempts."),
    (unverified, "E007", "Customer mail has not been authorized."),
    (a_guest_who_registers_with_the_waiting_password, "E007", "Customer mail has not been authorized."),
    (a_guest_who_registers_with_another, "E003", "Customer have not a registered account."),
]


def magic_of_banned(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    site.ban(EMAIL)
    return shop.post("magic-auth", email=EMAIL)


def magic_of_unverified(_site: Site, shop: Shop) -> Answer:
    register(shop)
    return shop.post("magic-auth", email=EMAIL)


def magic_of_an_unknown_address_without_new_customers(site: Site, shop: Shop) -> Answer:
    create_no_customers(site)
    return shop.post("magic-auth", email=EMAIL)


def magic_of_a_guest_without_new_customers(site: Site, shop: Shop) -> Answer:
    create_no_customers(site)
    site.guest(EMAIL)
    return shop.post("magic-auth", email=EMAIL)


def too_many_newcomers(_site: Site, shop: Shop) -> Answer:
    return [
        shop.post("magic-auth", email=f"n{number}@example.com", customerRealIp="192.0.2.77") for number in range(101)
    ][-1]


MAGIC = [
    (magic_of_an_unknown_address_without_new_customers, "E002", "Customer e-mail does not exist."),
    (magic_of_a_guest_without_new_customers, "E003", "Customer have not a registered account."),
    (magic_of_banned, "E005", "Customer account has been banned."),
    (too_many_newcomers, "E006", "Too many login attempts."),
    (magic_of_unverified, "E007", "Customer mail has not been authorized."),
]


def weak_password(_site: Site, shop: Shop) -> Answer:
    return register(shop, password="1234")


def registered(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    return register(shop)


def registered_and_banned(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    site.ban(EMAIL)
    return register(shop)


def registered_again_at_once(_site: Site, shop: Shop) -> Answer:
    register(shop)
    return register(shop)


def too_many_from_one_network(_site: Site, shop: Shop) -> Answer:
    return [register(shop, f"n{number}@example.com", customerRealIp="192.0.2.77") for number in range(21)][-1]


REGISTER = [
    (weak_password, "E001", "Customer register failed."),
    (registered, "E002", "Customer has been registered."),
    (registered_and_banned, "E003", "Customer account has been banned."),
    (registered_again_at_once, "E004", "Too many registration attempts."),
    (too_many_from_one_network, "E004", "Too many registration attempts."),
]


def verify_nothing(_site: Site, shop: Shop) -> Answer:
    return shop.post("register-account-verify", token="nonsense")


def verify_twice(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    return shop.post("register-account-verify", token=token(site))


def verify_too_late(site: Site, shop: Shop) -> Answer:
    register(shop)
    found = token(site)
    with time_machine.travel(site.context.clock() + timedelta(hours=25)):
        return shop.post("register-account-verify", token=found)


def verify_by_a_reset_link(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    return shop.post("register-account-verify", token=asked_reset(site, shop))


VERIFY = [
    (act, "E001", "Customer register failed.")
    for act in (verify_nothing, verify_twice, verify_too_late, verify_by_a_reset_link)
]


def weak_new_password(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    return set_password(shop, asked_reset(site, shop), "1234")


def the_current_password(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    return set_password(shop, asked_reset(site, shop), PASSWORD)


def a_former_password(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    assert set_password(shop, asked_reset(site, shop)).json["success"]
    return set_password(shop, asked_reset(site, shop), PASSWORD)


def bad_token(_site: Site, shop: Shop) -> Answer:
    return set_password(shop, "k9TzR4bWq2LxM7sYcV0pHd5nJe8uGa3f")


def used_token(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    found = asked_reset(site, shop)
    assert set_password(shop, found).json["success"]
    return set_password(shop, found, WRONG_PASSWORD)


def expired_token(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    found = asked_reset(site, shop, expirationTime="2m")
    with time_machine.travel(site.context.clock() + timedelta(minutes=3)):
        return set_password(shop, found)


def too_many_bad_tokens(_site: Site, shop: Shop) -> Answer:
    return [
        shop.post("set-new-password", token=f"n{number}", password=PASSWORD, customerRealIp="192.0.2.77")
        for number in range(101)
    ][-1]


REUSED = "You have entered a previously used password. For security reasons, please enter a new and unique password."
SET = [
    (weak_new_password, "E001", "Change password failed."),
    (too_many_bad_tokens, "E001", "Change password failed."),
    (the_current_password, "E002", REUSED),
    (a_former_password, "E002", REUSED),
    (bad_token, "E003", "Reset password request does not exist."),
    (used_token, "E003", "Reset password request does not exist."),
    (expired_token, "E004", "Reset password request has been expired."),
]


@pytest.mark.parametrize(
    ("act", "code", "message"),
    [
        pytest.param(*case, id=f"{endpoint} {case[1]} {case[0].__name__}")
        for endpoint, cases in (
            ("login", LOGIN),
            ("magic-auth", MAGIC),
            ("register-account", REGISTER),
            ("register-account-verify", VERIFY),
            ("set-new-password", SET),
        )
        for case in cases
    ],
)
def test_every_documented_failure_has_its_error_code(site: Site, shop: Shop, act: Act, code: str, message: str) -> None:
    answer = act(site, shop)
    assert (answer.status, answer.code, answer.json["message"]) == (200, code, message)
    assert answer.json.keys() <= {"success", "errorCode", "message", "detail"}


@pytest.mark.parametrize(
    ("act", "detail"),
    [
        (weak_password, "The password needs at least 8 characters."),
        (weak_new_password, "The password needs at least 8 characters."),
        (verify_twice, "There is nothing more to confirm"),
        (verify_too_late, "The links in our emails only work for a short time"),
    ],
)
def test_detail_says_more_where_there_is_more(site: Site, shop: Shop, act: Act, detail: str) -> None:
    assert act(site, shop).json["detail"].startswith(detail)
