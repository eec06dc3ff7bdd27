"""Nothing is coerced: a field of another type, without a value or with a wrong one is named."""

import pytest

from tests.api.fields.bodies import ENDPOINTS, FULL, KINDS, NEEDED
from tests.api.shop import Shop
from tests.web.conftest import Site


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_field_of_another_type_is_refused(shop: Shop, endpoint: str) -> None:
    for field, good in ENDPOINTS[endpoint].items():
        for kind, value in KINDS.items():
            if type(value) is type(good):
                continue
            answer = shop.post(endpoint, **{**ENDPOINTS[endpoint], field: value})
            assert answer.fields.keys() == {field}, kind


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_required_fields_must_be_present_and_not_empty(shop: Shop, endpoint: str) -> None:
    assert shop.post(endpoint).fields == {field: ["This field is required."] for field in NEEDED[endpoint]}
    for field in NEEDED[endpoint]:
        for value in (None, ""):
            answer = shop.post(endpoint, **{**ENDPOINTS[endpoint], field: value})
            assert answer.fields == {field: ["This field is required."]}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_optional_fields_may_be_null_or_missing(shop: Shop, endpoint: str) -> None:
    needed = {field: ENDPOINTS[endpoint][field] for field in NEEDED[endpoint]}
    optional = ENDPOINTS[endpoint].keys() - needed.keys()
    assert shop.post(endpoint, **needed).status == 200
    assert shop.post(endpoint, **needed, **dict.fromkeys(optional)).status == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_single_line_field_with_a_line_break_is_refused(shop: Shop, endpoint: str) -> None:
    lines = {field: good for field, good in ENDPOINTS[endpoint].items() if isinstance(good, str)}
    for other in ("password", "expirationTime"):
        lines.pop(other, None)
    for character in ("\x00", "\n", "\r", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"):
        broken = {field: good[:1] + character + good[1:] for field, good in lines.items()}
        assert shop.post(endpoint, **{**ENDPOINTS[endpoint], **broken}).fields.keys() == lines.keys(), ascii(character)


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
def test_a_malformed_field_is_reported_by_name(site: Site, shop: Shop, field: str, value: object) -> None:
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
        ("3h\x0020m", "no number"),
        ("3h\ud800", "no number"),
    ],
)
def test_an_invalid_lifetime_is_refused_with_the_reason(shop: Shop, text: str, complaint: str) -> None:
    answer = shop.post("reset-password", email="ada@example.com", expirationTime=text)
    assert answer.fields.keys() == {"expirationTime"}
    assert complaint in answer.fields["expirationTime"][0]


@pytest.mark.parametrize("text", ["1m", "24h", "3h 20m", " 90 Minutes ", "0.5d,1h", "3h\n20m", "\t3\r\nh "])
def test_a_lifetime_within_the_bounds_is_accepted(shop: Shop, text: str) -> None:
    assert shop.post("reset-password", email="ada@example.com", expirationTime=text).json == {"success": True}


def test_several_fields_are_reported_together(shop: Shop) -> None:
    answer = shop.post("register-account", **{**FULL, "email": 1, "country": "XX", "newsletter": "yes", "groups": [2]})
    assert answer.fields.keys() == {"email", "country", "newsletter", "groups"}
    assert answer.fields["groups"] == ["Entry 0: This must be a string."]
    assert all(isinstance(sentence, str) for found in answer.fields.values() for sentence in found)
