"""The location of an IP address, from a file that the operator provides."""

from pathlib import Path

import pytest

from portal.domain.geoip import GeoIPDatabase, Location
from tests.mmdb import write_mmdb

KLADNO = {
    "city": {"names": {"en": "Kladno", "cs": "Kladno"}},
    "country": {"iso_code": "CZ", "names": {"en": "Czechia", "cs": "Cesko"}},
}
PLACES = {
    "192.0.2.0/24": KLADNO,
    "198.51.100.0/25": {"country": {"names": {"en": "Czechia"}}},
    "203.0.113.0/24": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"},
    "2001:db8:1::/48": {**KLADNO, "autonomous_system_number": 64497},
    "2001:db8:2::/48": {"city": "Kladno", "country": {"names": ["Czechia"]}},
}


@pytest.fixture
def geoip(tmp_path: Path) -> GeoIPDatabase:
    return GeoIPDatabase(write_mmdb(tmp_path / "places.mmdb", PLACES))


@pytest.mark.parametrize(
    ("ip", "place", "words"),
    [
        ("192.0.2.77", Location("Kladno", "Czechia", "192.0.2.0/24", None, "CZ"), "Kladno, Czechia (192.0.2.0/24)"),
        ("198.51.100.1", Location(None, "Czechia", "198.51.100.0/25", None), "Czechia (198.51.100.0/25)"),
        (
            "203.0.113.5",
            Location(None, None, "203.0.113.0/24", "AS64496 Example Net"),
            "203.0.113.0/24 AS64496 Example Net",
        ),
        (
            "2001:db8:1::5",
            Location("Kladno", "Czechia", "2001:db8:1::/48", "AS64497", "CZ"),
            "Kladno, Czechia (2001:db8:1::/48 AS64497)",
        ),
        ("2001:db8:2::5", Location(None, None, "2001:db8:2::/48", None), "2001:db8:2::/48"),
    ],
)
def test_a_location_is_as_precise_as_the_geoip_database(
    geoip: GeoIPDatabase, ip: str, place: Location, words: str
) -> None:
    assert geoip.locate(ip) == place
    assert str(place) == words


@pytest.mark.parametrize(
    ("ip", "place"), [("192.0.2.77", "Kladno, CZ"), ("198.51.100.1", "Czechia"), ("203.0.113.5", None)]
)
def test_customers_see_only_the_city_and_the_country(geoip: GeoIPDatabase, ip: str, place: str | None) -> None:
    found = geoip.locate(ip)
    assert found is not None
    assert found.place == place


@pytest.mark.parametrize("ip", [None, "198.51.100.200", "10.0.0.1", "2001:db8:3::1", "::1"])
def test_an_address_that_is_not_in_the_geoip_database_has_no_location(geoip: GeoIPDatabase, ip: str | None) -> None:
    assert geoip.locate(ip) is None


def test_without_a_geoip_database_there_is_no_location() -> None:
    assert GeoIPDatabase(None).locate("192.0.2.77") is None
