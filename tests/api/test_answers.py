"""What the endpoints return and do."""

import re
from contextlib import suppress
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import update

from portal.domain.api_keys import DEFAULT_SCOPES, KeyKind, Scope
from portal.storage.models import Organisation
from tests.api.actions import (
    EMAIL,
    OTHER_PASSWORD,
    WRONG_PASSWORD,
    asked_reset,
    fail_to_log_in,
    join,
    log_in,
    register,
    set_password,
    token,
)
from tests.api.shop import Shop, new_shop
from tests.web.conftest import PASSWORD, Site, Start

IDENTITY = re.compile(r"[A-Za-z0-9]{32}")


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


def test_the_return_url_is_returned(site: Site, shop: Shop) -> None:
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
def test_a_return_url_must_be_on_an_allowed_origin(site: Site, shop: Shop, url: str) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(return_origins=["https://shop.example.com"]))
    assert register(shop, returnUrl=url).fields.keys() == {"returnUrl"}


@pytest.mark.parametrize("who", ["nobody", "guest", "customer", "banned"])
def test_asking_for_a_reset_is_answered_the_same_for_every_address(site: Site, shop: Shop, who: str) -> None:
    if who == "guest":
        site.guest(EMAIL)
    elif who != "nobody":
        join(site, shop)
    if who == "banned":
        site.ban(EMAIL)
    before = len(site.mails(EMAIL))
    for _ in range(7):  # more than the limit of emails, too
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


def test_a_weak_password_is_e001_a_former_password_is_e002_and_the_token_stays_valid(site: Site, shop: Shop) -> None:
    join(site, shop)
    found = asked_reset(site, shop)
    assert set_password(shop, found, "1234").code == "E001"
    assert set_password(shop, found, PASSWORD).code == "E002"
    assert set_password(shop, found).json == {"success": True}


def test_account_info_contains_known_fields_only(site: Site, shop: Shop) -> None:
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
def test_an_unknown_identity_is_refused(shop: Shop, identity: str) -> None:
    assert shop.account(identity) == {"loggedIn": False}
    assert shop.post("logout", identityId=identity).json == {"success": True}


def test_a_logout_ends_the_identity(site: Site, shop: Shop) -> None:
    join(site, shop)
    identity, other = shop.identity(log_in(shop)), shop.identity(log_in(shop))
    assert shop.post("logout", identityId=identity).json == {"success": True}
    assert shop.account(identity) == {"loggedIn": False}
    assert shop.account(other)["loggedIn"] is True


def test_an_identity_lasts_as_long_as_a_remembered_one(site: Site, shop: Shop) -> None:
    join(site, shop)
    identity = shop.identity(log_in(shop))
    now = site.context.clock()
    with time_machine.travel(now + timedelta(days=6)):
        assert shop.account(identity)["loggedIn"]
    with time_machine.travel(now + timedelta(days=14)):
        assert shop.account(identity) == {"loggedIn": False}


def test_groups_are_stored_only_with_the_scope(site: Site, shop: Shop) -> None:
    register(shop, groups=["wholesale"])
    trusted = new_shop(site, scopes=[*DEFAULT_SCOPES, Scope.GROUPS])
    register(trusted, "bo@example.com", groups=["wholesale", "press", "press"])
    groups = {row["email"]: row["groups"] for row in site.rows()["registration"]}
    assert groups == {EMAIL: [], "bo@example.com": ["wholesale", "press"]}


def test_a_root_key_does_not_lift_the_rate_limits_of_accounts(site: Site) -> None:
    root = new_shop(site, kind=KeyKind.ROOT)
    fail_to_log_in(root, 10)
    assert log_in(root, WRONG_PASSWORD).code == "E006"


def test_a_shop_that_names_no_customer_is_not_counted_as_one_network(site: Site, shop: Shop) -> None:
    for number in range(110):  # more than any network may send
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
