"""What may stand in a field: nothing is coerced, every field that cannot be used is named, nothing else is stored."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from portal.storage.models import STRING_LENGTH, Organisation
from tests.api.shop import Shop
from tests.domain.watching import normalised_lengths
from tests.web.conftest import PASSWORD, Site

FULL: dict[str, Any] = {
    "email": "ada@example.com",
    "name": "Ada Quill",
    "firstName": "Ada",
    "lastName": "Quill",
    "phone": "+420 777123456",
    "companyName": "Quill & Sons",
    "companyRegistrationNumber": "05000001",
    "taxIdentificationNumber": "CZ05000001",
    "streetAddress": "Přístavní 12",
    "city": "Kladno",
    "cityPart": "Kročehlavy",
    "stateRegion": "Středočeský kraj",
    "postalCode": "272 01",
    "country": "CZ",
    "newsletter": True,
    "primaryLocale": "cs",
    "groups": ["wholesale"],
    "customerRealIp": "192.0.2.10",
    "referralId": "7hQ2mVx9LpR4sTzK",
    "password": PASSWORD,
    "returnUrl": "https://shop.example.com/welcome",
}
REQUIRED = {"email", "password"}
TEXT_FIELDS = sorted(FULL.keys() - {"newsletter", "groups"})
LINES = sorted(set(TEXT_FIELDS) - {"password"})
ENDPOINTS: dict[str, dict[str, Any]] = {
    "login": {"email": "ada@example.com", "password": PASSWORD, "customerRealIp": "192.0.2.10"},
    "magic-auth": {
        "email": "ada@example.com",
        "firstName": "Ada",
        "lastName": "Quill",
        "customerRealIp": "192.0.2.10",
        "referralId": "7hQ2mVx9LpR4sTzK",
    },
    "register-account": FULL,
    "register-account-verify": {"token": "token"},
    "reset-password": {"email": "ada@example.com", "expirationTime": "3h 20m", "customerRealIp": "192.0.2.10"},
    "set-new-password": {"token": "token", "password": PASSWORD, "customerRealIp": "192.0.2.10"},
    "logout": {"identityId": "w3Ks8Pz0QeYt5LrB7uNxC1mVdG6hJa2f"},
    "redeem-handover": {"code": "r7YcN2kVb5HsQx0TzL9mWd4pGe8uJa3f", "nonce": "Zc5mVbR0wq7TnYkE2dLxHg"},
}
NEEDED = {
    "login": {"email", "password"},
    "magic-auth": {"email"},
    "register-account": {"email", "password"},
    "register-account-verify": {"token"},
    "reset-password": {"email"},
    "set-new-password": {"token", "password"},
    "logout": {"identityId"},
    "redeem-handover": {"code", "nonce"},
}
KINDS: dict[str, Any] = {
    "number": 7,
    "zero": 0,
    "fraction": 1.5,
    "true": True,
    "false": False,
    "list": ["a"],
    "empty list": [],
    "object": {"a": "b"},
    "empty object": {},
    "text": "true",
}


@pytest.fixture(autouse=True)
def _return_origin(site: Site) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(return_origins=["https://shop.example.com"]))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_field_takes_what_is_of_another_kind(shop: Shop, endpoint: str) -> None:
    for field, good in ENDPOINTS[endpoint].items():
        for kind, value in KINDS.items():
            if type(value) is type(good):
                continue
            answer = shop.post(endpoint, **{**ENDPOINTS[endpoint], field: value})
            assert answer.fields.keys() == {field}, kind


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_what_is_required_must_be_there_and_not_empty(shop: Shop, endpoint: str) -> None:
    assert shop.post(endpoint).fields == {field: ["This field is required."] for field in NEEDED[endpoint]}
    for field in NEEDED[endpoint]:
        for value in (None, ""):
            answer = shop.post(endpoint, **{**ENDPOINTS[endpoint], field: value})
            assert answer.fields == {field: ["This field is required."]}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_what_is_optional_may_be_null_or_left_out(shop: Shop, endpoint: str) -> None:
    needed = {field: ENDPOINTS[endpoint][field] for field in NEEDED[endpoint]}
    optional = ENDPOINTS[endpoint].keys() - needed.keys()
    assert shop.post(endpoint, **needed).status == 200
    assert shop.post(endpoint, **needed, **dict.fromkeys(optional)).status == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_line_holds_a_character_that_breaks_one(shop: Shop, endpoint: str) -> None:
    lines = {field: good for field, good in ENDPOINTS[endpoint].items() if isinstance(good, str)}
    lines.pop("password", None)
    for character in ("\x00", "\n", "\r", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"):
        broken = {field: good[:1] + character + good[1:] for field, good in lines.items()}
        assert shop.post(endpoint, **{**ENDPOINTS[endpoint], **broken}).fields.keys() == lines.keys(), ascii(character)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_line_is_read_however_it_was_pasted(shop: Shop, endpoint: str) -> None:
    pasted = {
        field: f"\t\u202d\ufeff{good[:3]}\u200b{good[3:]}\u202c\u00a0\n" if isinstance(good, str) else good
        for field, good in ENDPOINTS[endpoint].items()
        if field != "password"
    }
    assert shop.post(endpoint, **{**ENDPOINTS[endpoint], **pasted}).status == 200


@pytest.mark.parametrize("length", [256, 2500])
def test_no_line_is_longer_than_what_is_stored(shop: Shop, length: int) -> None:
    longer = dict.fromkeys(LINES, "x" * length)
    assert shop.post("register-account", **{**FULL, **longer}).fields.keys() == set(LINES)


def test_a_line_is_refused_by_its_length_before_any_pattern_sees_it(shop: Shop) -> None:
    for field in LINES:
        found = shop.post("register-account", **{**FULL, field: "1 " * 25_000}).fields
        assert found == {field: ["This may have at most 255 characters."]}


FREE = (
    "name",
    "firstName",
    "lastName",
    "companyName",
    "companyRegistrationNumber",
    "taxIdentificationNumber",
    "streetAddress",
    "city",
    "cityPart",
    "stateRegion",
    "postalCode",
)


def test_free_texts_may_have_255_characters_of_any_script(site: Site, shop: Shop) -> None:
    longest = dict.fromkeys(FREE, "ř" * 255)
    assert shop.post("register-account", **{**FULL, **longest}).json == {"success": True}
    (stored,) = site.rows()["registration"]
    assert stored["street_address"] == stored["postal_code"] == "ř" * 255


@pytest.mark.parametrize("endpoint", ["login", "register-account", "set-new-password"])
def test_a_password_may_have_256_characters_and_is_refused_past_that(shop: Shop, endpoint: str) -> None:
    assert shop.post(endpoint, **{**ENDPOINTS[endpoint], "password": "ř" * 257}).fields.keys() == {"password"}
    assert shop.post(endpoint, **{**ENDPOINTS[endpoint], "password": "pass word \ud800"}).fields.keys() == {"password"}
    assert shop.post(endpoint, **{**ENDPOINTS[endpoint], "password": "ř" * 256}).status == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_field_is_normalised_before_its_length_is_known(
    shop: Shop, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = normalised_lengths(monkeypatch)
    for field in [name for name, good in ENDPOINTS[endpoint].items() if isinstance(good, str)]:
        for shape in ("{}", "a@{}.cz", "https://{}.cz/"):
            marks = shape.format("\u0316\u0301" * 5_000)
            assert shop.post(endpoint, **{**ENDPOINTS[endpoint], field: marks}).fields.keys() == {field}
    assert max(lengths, default=0) <= STRING_LENGTH


def test_every_character_of_a_password_counts(site: Site, shop: Shop) -> None:
    password = " seven\x00tall\therons\n "
    shop.post("register-account", email="ada@example.com", password=password)
    shop.post("register-account-verify", token=site.link("ada@example.com").rpartition("/")[2])
    for other in (password.strip(), password[:-1], password.replace("\x00", ""), password.upper()):
        assert shop.post("login", email="ada@example.com", password=other).code == "E004"
    assert shop.post("login", email="ada@example.com", password=password).json["success"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ada"),
        ("email", "ada@"),
        ("email", "ada@localhost"),
        ("email", "m\u0131ke@example.com"),
        ("email", "ada@example.com, bo@example.com"),
        ("email", "Ada <ada@example.com>"),
        ("phone", "777123456"),
        ("phone", "+420"),
        ("phone", "+420 CALL ME"),
        ("country", "Czechia"),
        ("country", "XX"),
        ("country", "C"),
        ("primaryLocale", "Czech language"),
        ("primaryLocale", "c"),
        ("referralId", "7hQ2mVx9LpR4sTz"),
        ("referralId", "7hQ2mVx9LpR4sTzKA"),
        ("referralId", "7hQ2mVx9LpR4sTz-"),
        ("customerRealIp", "1.1.1"),
        ("customerRealIp", "1.1.1.1.1"),
        ("customerRealIp", "999.1.1.1"),
        ("customerRealIp", "example.com"),
        ("customerRealIp", "1.1.1.1, 2.2.2.2"),
        ("customerRealIp", "2001:db8::g"),
        ("returnUrl", "example_returnUrl"),
        ("groups", [1]),
        ("groups", [None]),
        ("groups", [["a"]]),
        ("groups", [""]),
        ("groups", ["a\nb"]),
        ("groups", ["x" * 256]),
        ("groups", [f"g{number}" for number in range(51)]),
    ],
    ids=str,
)
def test_what_is_malformed_is_named(site: Site, shop: Shop, field: str, value: object) -> None:
    assert shop.post("register-account", **{**FULL, field: value}).fields.keys() == {field}
    assert site.rows()["registration"] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("soon", "no number"),
        ("3", "no unit"),
        ("3 years", "unknown unit"),
        ("1h 1h", "twice"),
        ("-1h", "no number"),
        ("0m", "zero"),
        ("59s", "shorter than 1 minute"),
        ("24h 1s", "longer than 1d"),
        ("1" * 65 + "h", "longer than 64"),
    ],
)
def test_a_lifetime_that_cannot_be_is_refused_with_the_reason(shop: Shop, text: str, complaint: str) -> None:
    answer = shop.post("reset-password", email="ada@example.com", expirationTime=text)
    assert answer.fields.keys() == {"expirationTime"}
    assert complaint in answer.fields["expirationTime"][0]


@pytest.mark.parametrize("text", ["1m", "24h", "3h 20m", " 90 Minutes ", "0.5d,1h"])
def test_a_lifetime_within_the_bounds_is_taken(shop: Shop, text: str) -> None:
    assert shop.post("reset-password", email="ada@example.com", expirationTime=text).json == {"success": True}


def test_several_fields_are_named_at_once(shop: Shop) -> None:
    answer = shop.post("register-account", **{**FULL, "email": 1, "country": "XX", "newsletter": "yes", "groups": [2]})
    assert answer.fields.keys() == {"email", "country", "newsletter", "groups"}
    assert answer.fields["groups"] == ["Entry 0: This must be a string."]
    assert all(isinstance(sentence, str) for found in answer.fields.values() for sentence in found)


def test_all_21_fields_are_stored_in_their_normal_forms(site: Site, shop: Shop) -> None:
    typed = {
        **FULL,
        "email": " Ada@Example.COM ",
        "phone": "00420 777 123 456",
        "country": "cz",
        "primaryLocale": "CS-cz",
        "customerRealIp": "2001:DB8:0::1",
        "city": "  Kladno ",
    }
    assert shop.post("register-account", **typed).json == {"success": True}
    (stored,) = site.rows()["registration"]
    expected = {
        "email": "ada@example.com",
        "name": "Ada Quill",
        "first_name": "Ada",
        "last_name": "Quill",
        "phone": "+420 777123456",
        "company_name": "Quill & Sons",
        "company_registration_number": "05000001",
        "tax_identification_number": "CZ05000001",
        "street_address": "Přístavní 12",
        "city": "Kladno",
        "city_part": "Kročehlavy",
        "state_region": "Středočeský kraj",
        "postal_code": "272 01",
        "country": "CZ",
        "newsletter": True,
        "locale": "cs-CZ",
        "groups": [],
        "referral": "7hQ2mVx9LpR4sTzK",
        "ip": "2001:db8::1",
        "return_url": "https://shop.example.com/welcome",
    }
    assert {name: stored[name] for name in expected} == expected


@pytest.mark.parametrize("ip", ["", "::1", "0.0.0.0", "localhost", "127.0.0.1", None])  # noqa: S104 - nothing listens
def test_a_customer_ip_that_says_nothing_is_not_given(site: Site, shop: Shop, ip: str | None) -> None:
    assert shop.post("register-account", **{**FULL, "customerRealIp": ip}).json == {"success": True}
    (stored,) = site.rows()["registration"]
    assert stored["ip"] is None
    assert {event["ip"] for event in site.rows()["event"] if event["kind"] == "register"} == {None}


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


def test_a_field_whose_name_cannot_be_told_is_refused_without(shop: Shop) -> None:
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
