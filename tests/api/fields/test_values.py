"""What a field means: pasted text is cleaned, and each value is stored in its normal form."""

import pytest

from tests.api.fields.bodies import ENDPOINTS, FULL
from tests.api.shop import Shop
from tests.web.conftest import Site


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_pasted_values_are_cleaned(shop: Shop, endpoint: str) -> None:
    pasted = {
        field: f"\t\u202d\ufeff{good[:3]}\u200b{good[3:]}\u202c\u00a0\n" if isinstance(good, str) else good
        for field, good in ENDPOINTS[endpoint].items()
        if field != "password"
    }
    assert shop.post(endpoint, **{**ENDPOINTS[endpoint], **pasted}).status == 200


def test_every_character_of_a_password_counts(site: Site, shop: Shop) -> None:
    password = " seven\x00tall\therons\n "
    shop.post("register-account", email="ada@example.com", password=password)
    shop.post("register-account-verify", token=site.link("ada@example.com").rpartition("/")[2])
    for other in (password.strip(), password[:-1], password.replace("\x00", ""), password.upper()):
        assert shop.post("login", email="ada@example.com", password=other).code == "E004"
    assert shop.post("login", email="ada@example.com", password=password).json["success"]


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
def test_an_empty_customer_ip_counts_as_not_given(site: Site, shop: Shop, ip: str | None) -> None:
    assert shop.post("register-account", **{**FULL, "customerRealIp": ip}).json == {"success": True}
    (stored,) = site.rows()["registration"]
    assert stored["ip"] is None
    assert {event["ip"] for event in site.rows()["event"] if event["kind"] == "register"} == {None}
