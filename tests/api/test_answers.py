"""Every documented answer of every endpoint, brought about as customers bring it about."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import update

from portal.domain.api_keys import DEFAULT_SCOPES, KeyKind, Scope
from portal.storage.models import Organisation
from tests.api.shop import Answer, Shop, new_shop
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.post import link_in

EMAIL = "ada@example.com"
OTHER_PASSWORD = "gravel mitten orchard 87"
WRONG_PASSWORD = "cinder ballot marrow 63"
IDENTITY = re.compile(r"[A-Za-z0-9]{32}")

Act = Callable[[Site, Shop], Answer]


def token(site: Site, email: str = EMAIL) -> str:
    """The token in the last mail to an address that holds one: notices hold none, and come when there is time."""
    for mail in reversed(site.mails(email)):
        with suppress(ValueError):
            return link_in(mail).rpartition("/")[2]
    raise AssertionError("no mail with a link came")


def register(shop: Shop, email: str = EMAIL, password: str = PASSWORD, **more: object) -> Answer:
    return shop.post("register-account", email=email, password=password, **more)


def join(site: Site, shop: Shop, email: str = EMAIL) -> None:
    """Become a customer through the shop."""
    assert register(shop, email).json == {"success": True}
    assert shop.post("register-account-verify", token=token(site, email)).json["success"]


def log_in(shop: Shop, password: str = PASSWORD, **more: object) -> Answer:
    return shop.post("login", email=EMAIL, password=password, **more)


def fail_to_log_in(shop: Shop, times: int) -> None:
    for _ in range(times):
        assert log_in(shop, WRONG_PASSWORD).json["success"] is False


def asked_reset(site: Site, shop: Shop, **more: object) -> str:
    assert shop.post("reset-password", email=EMAIL, **more).json == {"success": True}
    return token(site)


def set_password(shop: Shop, token: str, password: str = OTHER_PASSWORD) -> Answer:
    return shop.post("set-new-password", token=token, password=password)


def create_nobody(site: Site) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(magic_auth_creates=False))


# login


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


def too_many_logins_of_nobody(_site: Site, shop: Shop) -> Answer:
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
    (too_many_logins_of_nobody, "E006", "Too many login attempts."),
    (unverified, "E007", "Customer mail has not been authorized."),
    (a_guest_who_registers_with_the_waiting_password, "E007", "Customer mail has not been authorized."),
    (a_guest_who_registers_with_another, "E003", "Customer have not a registered account."),
]


# magic-auth


def magic_of_banned(site: Site, shop: Shop) -> Answer:
    join(site, shop)
    site.ban(EMAIL)
    return shop.post("magic-auth", email=EMAIL)


def magic_of_unverified(_site: Site, shop: Shop) -> Answer:
    register(shop)
    return shop.post("magic-auth", email=EMAIL)


def magic_of_nobody_where_nobody_is_created(site: Site, shop: Shop) -> Answer:
    create_nobody(site)
    return shop.post("magic-auth", email=EMAIL)


def magic_of_a_guest_where_nobody_is_created(site: Site, shop: Shop) -> Answer:
    create_nobody(site)
    site.guest(EMAIL)
    return shop.post("magic-auth", email=EMAIL)


def too_many_newcomers(_site: Site, shop: Shop) -> Answer:
    return [
        shop.post("magic-auth", email=f"n{number}@example.com", customerRealIp="192.0.2.77") for number in range(101)
    ][-1]


MAGIC = [
    (magic_of_nobody_where_nobody_is_created, "E002", "Customer e-mail does not exist."),
    (magic_of_a_guest_where_nobody_is_created, "E003", "Customer have not a registered account."),
    (magic_of_banned, "E005", "Customer account has been banned."),
    (too_many_newcomers, "E006", "Too many login attempts."),
    (magic_of_unverified, "E007", "Customer mail has not been authorized."),
]


# register-account and register-account-verify


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


# set-new-password


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
def test_every_documented_failure_is_told_by_its_code(
    site: Site, shop: Shop, act: Act, code: str, message: str
) -> None:
    answer = act(site, shop)
    assert (answer.status, answer.code, answer.json["message"]) == (200, code, message)
    assert answer.json.keys() <= {"success", "errorCode", "message", "detail"}


@pytest.mark.parametrize(
    ("act", "detail"),
    [
        (weak_password, "The password needs at least 8 characters."),
        (weak_new_password, "The password needs at least 8 characters."),
        (verify_twice, "There is nothing more to confirm"),
        (verify_too_late, "The links in our emails work for a short time"),
    ],
)
def test_detail_says_more_where_there_is_more(site: Site, shop: Shop, act: Act, detail: str) -> None:
    assert act(site, shop).json["detail"].startswith(detail)


def test_a_login_gives_an_identity(site: Site, shop: Shop) -> None:
    join(site, shop)
    answer = log_in(shop, customerRealIp="192.0.2.10")
    assert IDENTITY.fullmatch(shop.identity(answer))
    assert answer.json == {"success": True, "identityId": answer.json["identityId"]}


def test_magic_auth_makes_a_contact_and_signs_it_in(site: Site, shop: Shop) -> None:
    answer = shop.post("magic-auth", email="Ada@Example.com", firstName="Ada", lastName="Quill")
    account = shop.account(shop.identity(answer))
    assert (account["email"], account["firstName"], account["lastName"]) == (EMAIL, "Ada", "Quill")
    assert shop.account(shop.identity(shop.post("magic-auth", email=EMAIL)))["cuRefNo"] == account["cuRefNo"]


def test_a_registration_is_confirmed_by_its_token(site: Site, shop: Shop) -> None:
    assert register(shop).json == {"success": True}
    assert shop.post("register-account-verify", token=token(site)).json == {"success": True, "email": EMAIL}
    assert IDENTITY.fullmatch(shop.identity(log_in(shop)))


def test_the_return_address_is_handed_back(site: Site, shop: Shop) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(return_origins=["https://shop.example.com"]))
    register(shop, returnUrl="https://shop.example.com/welcome?a=1#b")
    answer = shop.post("register-account-verify", token=token(site))
    assert answer.json == {"success": True, "email": EMAIL, "returnUrl": "https://shop.example.com/welcome?a=1#b"}


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://shop.example.com/",
        "https://shop.example.com:8443/",
        "https://shop.example.com.evil.example/",
        "https://shop.example.com@evil.example/",
        "https://evil.example\\@shop.example.com/",
        "//shop.example.com/",
        "/welcome",
        "javascript:alert(1)",
        "example_returnUrl",
    ],
)
def test_a_return_address_elsewhere_is_refused(site: Site, shop: Shop, url: str) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(return_origins=["https://shop.example.com"]))
    assert register(shop, returnUrl=url).fields.keys() == {"returnUrl"}


@pytest.mark.parametrize("who", ["nobody", "guest", "customer", "banned"])
def test_asking_for_a_reset_is_answered_the_same_for_everybody(site: Site, shop: Shop, who: str) -> None:
    if who == "guest":
        site.guest(EMAIL)
    elif who != "nobody":
        join(site, shop)
    if who == "banned":
        site.ban(EMAIL)
    before = len(site.mails(EMAIL))
    for _ in range(7):  # past the limit on mails, too
        assert shop.post("reset-password", email=EMAIL).json == {"success": True}
    mails = len(site.mails(EMAIL)) - before
    assert mails == (5 if who in ("guest", "customer") else 0)


def test_a_new_password_replaces_the_old_and_ends_every_identity(site: Site, shop: Shop) -> None:
    join(site, shop)
    identity = shop.identity(log_in(shop))
    assert set_password(shop, asked_reset(site, shop, expirationTime="3h 20m")).json == {"success": True}
    assert shop.account(identity) == {"loggedIn": False}
    assert log_in(shop).code == "E004"
    assert IDENTITY.fullmatch(shop.identity(log_in(shop, OTHER_PASSWORD)))


def test_a_refusal_does_not_use_a_token_up(site: Site, shop: Shop) -> None:
    join(site, shop)
    found = asked_reset(site, shop)
    assert set_password(shop, found, "1234").code == "E001"
    assert set_password(shop, found, PASSWORD).code == "E002"
    assert set_password(shop, found).json == {"success": True}


def test_account_info_tells_what_is_known_and_leaves_the_rest_out(site: Site, shop: Shop) -> None:
    join(site, shop)
    identity = shop.identity(log_in(shop))
    account = shop.account(identity)
    assert re.fullmatch(r"[A-Za-z0-9]{16}", account.pop("cuRefNo"))
    assert account == {
        "loggedIn": True,
        "identityId": identity,
        "email": EMAIL,
        "premium": False,
        "ban": False,
        "creditBalance": 0,
    }


def test_account_info_of_a_full_registration(site: Site, shop: Shop) -> None:
    register(shop, firstName="Ada", lastName="Quill", phone="+420 777 123 456", companyName="Quill & Sons")
    shop.post("register-account-verify", token=token(site))
    account = shop.account(shop.identity(log_in(shop)))
    assert account["phone"] == "+420 777123456"
    assert (account["firstName"], account["lastName"], account["companyName"]) == ("Ada", "Quill", "Quill & Sons")


@pytest.mark.parametrize("identity", ["nonsense", "w3Ks8Pz0QeYt5LrB7uNxC1mVdG6hJa2f"])
def test_an_unknown_identity_is_nobody(shop: Shop, identity: str) -> None:
    assert shop.account(identity) == {"loggedIn": False}
    assert shop.post("logout", identityId=identity).json == {"success": True}


def test_a_logout_ends_the_identity(site: Site, shop: Shop) -> None:
    join(site, shop)
    identity, other = shop.identity(log_in(shop)), shop.identity(log_in(shop))
    assert shop.post("logout", identityId=identity).json == {"success": True}
    assert shop.account(identity) == {"loggedIn": False}
    assert shop.account(other)["loggedIn"] is True


def test_an_identity_lasts_as_long_as_one_that_is_kept(site: Site, shop: Shop) -> None:
    join(site, shop)
    identity = shop.identity(log_in(shop))
    now = site.context.clock()
    with time_machine.travel(now + timedelta(days=6)):
        assert shop.account(identity)["loggedIn"]
    with time_machine.travel(now + timedelta(days=14)):
        assert shop.account(identity) == {"loggedIn": False}


def test_groups_are_kept_only_of_a_key_that_may(site: Site, shop: Shop) -> None:
    register(shop, groups=["wholesale"])
    trusted = new_shop(site, scopes=[*DEFAULT_SCOPES, Scope.GROUPS])
    register(trusted, "bo@example.com", groups=["wholesale", "press", "press"])
    groups = {row["email"]: row["groups"] for row in site.rows()["registration"]}
    assert groups == {EMAIL: [], "bo@example.com": ["wholesale", "press"]}


def test_a_root_key_does_not_lift_the_guards_of_accounts(site: Site) -> None:
    root = new_shop(site, kind=KeyKind.ROOT)
    fail_to_log_in(root, 10)
    assert log_in(root, WRONG_PASSWORD).code == "E006"


def test_a_shop_that_names_no_customer_is_not_counted_as_one_network(site: Site, shop: Shop) -> None:
    for number in range(110):  # more than any network may
        with suppress(KeyError):
            assert shop.post("login", email=f"n{number}@example.com", password=PASSWORD).code == "E002"


def test_the_network_that_a_shop_names_is_counted(site: Site, shop: Shop) -> None:
    answers = [
        shop.post("login", email=f"n{number}@example.com", password=PASSWORD, customerRealIp=f"2001:db8::{number:x}")
        for number in range(101)
    ]
    assert [answer.code for answer in answers] == ["E002"] * 100 + ["E006"]


def test_a_registration_may_be_repeated_after_a_while(start: Start) -> None:
    site = start(REGISTER_RETRY="10m")
    shop = new_shop(site)
    register(shop)
    with time_machine.travel(site.context.clock() + timedelta(minutes=11)):
        assert register(shop).json == {"success": True}
