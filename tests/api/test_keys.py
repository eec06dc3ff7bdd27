"""Where a key may be sent, the responses to an invalid one, and how often a key may be used."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from portal.domain import api_keys
from portal.domain.api_keys import DEFAULT_SCOPES, KeyKind, Scope
from portal.domain.context import Visitor
from portal.storage.models import Event
from tests.api.shop import NETWORK, Answer, Shop, new_key, new_shop
from tests.domain.scene import Scene
from tests.web.conftest import Site, Start

LOGIN = {"email": "ada@example.com", "password": "x"}
UNKNOWN = "PROD" + "a" * 28


@pytest.fixture
def keyless(site: Site) -> Shop:
    return Shop(site, None)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "query": lambda key: {"query": {"apiKey": key}, "body": LOGIN},
    "body": lambda key: {"body": {**LOGIN, "apiKey": key}},
    "header": lambda key: {"headers": bearer(key), "body": LOGIN},
    "header in small letters": lambda key: {"headers": {"authorization": f"bearer {key}"}, "body": LOGIN},
    "everywhere": lambda key: {
        "query": {"apiKey": key},
        "headers": bearer(key),
        "body": {**LOGIN, "apiKey": key},
    },
    "beside empty ones": lambda key: {"query": {"apiKey": ""}, "headers": bearer(key), "body": {**LOGIN, "apiKey": ""}},
    "beside other credentials": lambda key: {
        "query": {"apiKey": key},
        "headers": {"Authorization": "Basic YTpi"},
        "body": LOGIN,
    },
}


@pytest.mark.parametrize("place", PLACES)
def test_a_key_is_accepted_in_each_documented_place(site: Site, keyless: Shop, place: str) -> None:
    answer = keyless.ask("POST", "login", **PLACES[place](new_key(site)))
    assert (answer.status, answer.code) == (200, "E002")


@pytest.mark.parametrize("place", ["query", "header"])
def test_a_key_is_accepted_for_get(site: Site, keyless: Shop, place: str) -> None:
    key = new_key(site)
    options: dict[str, Any] = {"query": {"identityId": "x"}}
    if place == "query":
        options["query"]["apiKey"] = key
    else:
        options["headers"] = bearer(key)
    assert keyless.ask("GET", "get-account-info", **options).json == {"loggedIn": False}


@pytest.mark.parametrize(
    "options",
    [
        lambda a, b: {"query": {"apiKey": a}, "headers": bearer(b), "body": LOGIN},
        lambda a, b: {"query": {"apiKey": a}, "body": {**LOGIN, "apiKey": b}},
        lambda a, b: {"headers": bearer(a), "body": {**LOGIN, "apiKey": b}},
        lambda a, _b: {"headers": bearer(a), "body": {**LOGIN, "apiKey": 7}},
        lambda a, b: {"query": f"apiKey={a}&apiKey={b}", "body": LOGIN},
        lambda a, _b: {"query": f"apiKey={a}&apiKey={a}", "body": LOGIN},
    ],
)
def test_two_keys_are_an_error(site: Site, keyless: Shop, options: Any) -> None:
    answer = keyless.ask("POST", "login", **options(new_key(site), new_key(site)))
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("nonsense", "PUBLIC_API_KEY_IS_NOT_IN_VALID_FORMAT"),
        (UNKNOWN + "a", "PUBLIC_API_KEY_IS_NOT_IN_VALID_FORMAT"),
        (UNKNOWN, "PUBLIC_API_KEY_DOES_NOT_EXIST"),
    ],
)
def test_an_invalid_key_is_404_in_each_documented_place(keyless: Shop, place: str, key: str, code: str) -> None:
    answer = keyless.ask("POST", "login", **PLACES[place](key))
    assert (answer.status, answer.code) == (404, code)


@pytest.mark.parametrize("text", ["key=abc", f"{UNKNOWN}, {UNKNOWN}", f"{UNKNOWN} {UNKNOWN}", "\xff"])
def test_a_header_with_more_than_a_key_is_refused(keyless: Shop, text: str) -> None:
    answer = keyless.ask("POST", "login", headers={"Authorization": f"Bearer {text}"}, body=LOGIN)
    assert (answer.status, answer.code) == (404, "PUBLIC_API_KEY_IS_NOT_IN_VALID_FORMAT")


@pytest.mark.parametrize("value", [7, True, ["PROD"], {"a": "b"}])
def test_a_key_that_is_not_text_is_refused(keyless: Shop, value: object) -> None:
    answer = keyless.ask("POST", "login", body={**LOGIN, "apiKey": value})
    assert (answer.status, answer.code) == (404, "PUBLIC_API_KEY_IS_NOT_IN_VALID_FORMAT")


@pytest.mark.parametrize(
    "options",
    [
        {"body": LOGIN},
        {"body": {**LOGIN, "apiKey": ""}},
        {"body": {**LOGIN, "apiKey": None}},
        {"body": LOGIN, "query": "apiKey="},
        {"body": LOGIN, "headers": {"Authorization": "Bearer"}},
        {"body": LOGIN, "headers": {"Authorization": "Basic YTpi"}},
        {"body": LOGIN, "headers": {"X-Api-Key": UNKNOWN, "Cookie": f"apiKey={UNKNOWN}"}},
        {},
        {"data": "", "headers": {"Content-Type": "application/json"}},
        {"data": f"apiKey={UNKNOWN}", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
)
def test_no_key_is_404(keyless: Shop, options: dict[str, Any]) -> None:
    answer = keyless.ask("POST", "login", **options)
    assert (answer.status, answer.code) == (404, "PUBLIC_API_KEY_IS_EMPTY")


def test_a_body_that_may_hold_the_key_is_mended_first(keyless: Shop) -> None:
    headers = {"Content-Type": "application/json"}
    assert keyless.ask("POST", "login", data=f'{{"apiKey": "{UNKNOWN}"', headers=headers).status == 400


def test_expired_and_revoked_keys_are_404(site: Site, keyless: Shop) -> None:
    key = new_key(site, lifetime=timedelta(days=1))
    with time_machine.travel(site.context.clock() + timedelta(days=2)):
        answer = keyless.ask("POST", "login", headers=bearer(key), body=LOGIN)
    assert (answer.status, answer.code) == (404, "PUBLIC_API_KEY_HAS_BEEN_EXPIRED")
    api_keys.revoke(site.context, 1)
    answer = keyless.ask("POST", "login", headers=bearer(key), body=LOGIN)
    assert (answer.status, answer.code) == (404, "PUBLIC_API_KEY_HAS_BEEN_DELETED")


ENDPOINTS = {
    "login": Scope.LOGIN,
    "magic-auth": Scope.MAGIC_AUTH,
    "register-account": Scope.REGISTER,
    "register-account-verify": Scope.REGISTER,
    "reset-password": Scope.RESET,
    "set-new-password": Scope.RESET,
    "logout": Scope.IDENTITY,
    "redeem-handover": Scope.IDENTITY,
    "get-account-info": Scope.IDENTITY,
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_each_endpoint_requires_its_own_scope_only(site: Site, endpoint: str) -> None:
    def ask(scopes: list[Scope]) -> Answer:
        shop = new_shop(site, scopes=scopes)
        return shop.ask("GET", endpoint) if endpoint == "get-account-info" else shop.post(endpoint)

    refused = ask([scope for scope in Scope if scope is not ENDPOINTS[endpoint]])
    assert (refused.status, refused.code) == (403, "PUBLIC_API_KEY_HAS_NO_PERMISSION")
    assert ask([ENDPOINTS[endpoint]]).code == "VALIDATION_FAILED"


def test_a_key_is_checked_before_anything_that_was_sent(keyless: Shop) -> None:
    unreadable: list[dict[str, Any]] = [
        {"data": "["},
        {"body": {}},
        {"data": "a=b", "headers": {"Content-Type": "text/plain"}},
    ]
    for options in unreadable:
        answer = keyless.ask("POST", "login", query={"apiKey": UNKNOWN}, **options)
        assert answer.code == "PUBLIC_API_KEY_DOES_NOT_EXIST"


def test_each_response_has_rate_limit_headers(start: Start) -> None:
    site = start(API_LIMIT_DEV="3 per minute")
    shop = new_shop(site, kind=KeyKind.DEVELOPER)
    other = new_shop(site, kind=KeyKind.DEVELOPER)
    answers = [
        shop.ask("GET", "get-account-info", query={"identityId": "x"}),
        shop.post("logout"),
        shop.ask("POST", "login", data="["),
        shop.post("logout", identityId="x"),
    ]
    assert [answer.status for answer in answers] == [200, 422, 400, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
    now = site.context.clock().timestamp()
    assert all(now - 1 <= int(answer.headers["X-RateLimit-Reset"]) <= now + 61 for answer in answers)
    assert other.post("logout", identityId="x").status == 200

    refused = answers[-1]
    assert refused.code == "RATE_LIMIT_EXCEEDED"
    wait = refused.json["error"]["retry_after"]
    assert 1 <= wait <= 60
    assert refused.headers["Retry-After"] == str(wait)
    assert all("Retry-After" not in answer.headers for answer in answers[:3])


def test_a_reached_rate_limit_is_recorded_once_in_each_window(start: Start) -> None:
    site = start(API_LIMIT_PROD="1 per minute")
    shop = new_shop(site)
    assert [shop.post("logout", identityId="x").status for _ in range(4)] == [200, 429, 429, 429]
    with site.context.database.read() as connection:
        recorded = connection.execute(select(Event.c.kind, Event.c.organisation_id)).all()
    assert [tuple(event) for event in recorded] == [("key_create", 1), ("key_limit", 1)]


def test_the_rate_limit_is_checked_before_the_scope_and_its_headers_sent_with_a_refusal(start: Start) -> None:
    shop = new_shop(start(API_LIMIT_PROD="1 per minute"), scopes=[])
    answer = shop.post("login", **LOGIN)
    assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert shop.post("login", **LOGIN).status == 429


def test_a_root_key_has_no_rate_limit(start: Start) -> None:
    shop = new_shop(start(API_LIMIT_PROD="1 per minute", API_LIMIT_DEV="1 per minute"), kind=KeyKind.ROOT)
    for _ in range(3):
        answer = shop.post("logout", identityId="x")
        assert answer.status == 200
        assert not [name for name, _ in answer.headers if name.lower().startswith("x-ratelimit")]


def test_wrong_keys_are_limited_by_the_network_of_the_connection(start: Start) -> None:
    site = start(LOGIN_LIMIT_NETWORK="3 per hour")
    keyless = Shop(site, None)
    answers = [keyless.ask("POST", "login", body=LOGIN, headers=bearer(UNKNOWN)) for _ in range(5)]
    assert [answer.status for answer in answers] == [404] * 3 + [429] * 2
    assert answers[-1].code == "RATE_LIMIT_EXCEEDED"
    assert answers[-1].headers["Retry-After"] == str(answers[-1].json["error"]["retry_after"])
    spoofed = keyless.ask("POST", "login", body=LOGIN, headers={**bearer(UNKNOWN), "X-Forwarded-For": "192.0.2.1"})
    assert spoofed.status == 429
    assert new_shop(site).post("login", **LOGIN).code == "E002"


def test_a_key_is_valid_for_its_own_organisation_only(site: Site, shop: Shop) -> None:
    second = Scene(site.context, Visitor(organisation_id=1, ip=NETWORK)).at_another_organisation().visitor
    stranger = new_shop(site, organisation_id=second.organisation_id)
    identity = shop.identity(shop.post("magic-auth", email="ada@example.com"))
    assert stranger.account(identity) == {"loggedIn": False}
    stranger.post("logout", identityId=identity)
    assert shop.account(identity)["loggedIn"] is True
    assert stranger.post("login", **LOGIN).code == "E002"
    other = stranger.identity(stranger.post("magic-auth", email="ada@example.com"))
    assert stranger.account(other)["cuRefNo"] != shop.account(identity)["cuRefNo"]


def test_the_last_use_of_a_key_is_stored(site: Site, shop: Shop) -> None:
    (before,) = site.rows()["api_key"]
    shop.post("logout", identityId="x")
    (after,) = site.rows()["api_key"]
    assert before["last_used_at"] is None
    assert after["last_used_at"] is not None
    assert after["scopes"] == [scope.value for scope in DEFAULT_SCOPES]


def test_the_log_says_whose_key_was_used(site: Site, shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="portal.access"):
        shop.post("logout", identityId="x")
        Shop(site, None).post("logout", identityId="x")
    first, second = [record for record in caplog.records if record.name == "portal.access"]
    assert first.getMessage().endswith(" key=1")
    assert "key=" not in second.getMessage()
