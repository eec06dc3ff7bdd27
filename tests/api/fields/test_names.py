"""Unknown fields are ignored; a field that is sent twice, or in the wrong place, is refused."""

import json

import pytest

from tests.api.fields.bodies import FULL
from tests.api.shop import Shop
from tests.web.conftest import Site


def test_unknown_fields_are_ignored_and_never_stored(site: Site, shop: Shop) -> None:
    more = {
        "id": 99,
        "isAdmin": True,
        "verified": True,
        "confirmed_at": "2020-01-01",
        "password_hash": "canary",
        "cuRefNo": "canarycanarycana",
        "deep": [[[[{"a": ["canary"]}]]]],
        "organisation_id": 7,
        "first_name": "canary",
        "\x00": "\ud800",
        "__proto__": {"canary": 1},
    }
    assert shop.post("register-account", **FULL, **more).json == {"success": True}
    rows = site.rows()
    assert "canary" not in json.dumps(rows, default=str)
    (contact,) = rows["contact"]
    assert contact["confirmed_at"] is None
    assert contact["organisation_id"] == 1


def test_the_same_field_twice_is_refused_by_name(site: Site, shop: Shop) -> None:
    body = '{"email": "ada@example.com", "password": "x", "email": "bo@example.com"}'
    answer = shop.ask("POST", "login", data=body)
    assert answer.fields == {"email": ["This field was sent more than once."]}


def test_a_field_with_an_unsafe_name_is_refused_without_quoting_it(shop: Shop) -> None:
    for name in ("a\\u0000", "a" * 81, "\\ud800"):
        answer = shop.ask("POST", "login", data=f'{{"{name}": 1, "{name}": 2}}')
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")


def test_repeated_query_parameters_are_refused(shop: Shop) -> None:
    query = "identityId=w3Ks8Pz0QeYt5LrB7uNxC1mVdG6hJa2f&identityId=w3Ks8Pz0QeYt5LrB7uNxC1mVdG6hJa2f"
    answer = shop.ask("GET", "get-account-info", query=query)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    answer = shop.ask("POST", "logout?x=1&x=2", body={"identityId": "a"})
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "query", ["", "identityId=", "identityId=%00", "identityId=%0a", "identityId=" + "x" * 256, "identityid=x"]
)
def test_the_query_is_read_as_strictly_as_a_body(shop: Shop, query: str) -> None:
    assert shop.ask("GET", "get-account-info", query=query).fields.keys() == {"identityId"}


def test_fields_of_the_body_are_not_read_from_the_query(shop: Shop) -> None:
    answer = shop.ask("POST", "login", body={}, query={"email": "ada@example.com", "password": "x"})
    assert answer.fields.keys() == {"email", "password"}
