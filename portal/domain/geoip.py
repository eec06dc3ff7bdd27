"""Locate IP addresses with a GeoIP database that the operator provides."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import maxminddb


@dataclass(frozen=True)
class Location:
    """The location of an IP address; each part may be missing."""

    city: str | None
    country: str | None
    network: str
    """The block of addresses with this location, such as "192.0.2.0/24"."""
    operator: str | None
    """The operator of the network, such as "AS64496 Example Net"."""
    country_code: str | None = None
    """ISO 3166-1 alpha-2."""

    @property
    def place(self) -> str | None:
        """The city and the country, such as "Prague, CZ"; None when neither is known."""
        return ", ".join(part for part in (self.city, self.country_code or self.country) if part) or None

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.city, self.country) if part)
        network = " ".join(part for part in (self.network, self.operator) if part)
        return f"{where} ({network})" if where else network


class GeoIPDatabase:
    """A database in MaxMind's format (.mmdb) with MaxMind's field names; without a file no address is found.

    Thread-safe. A lookup reads the file only and sends nothing over the network.
    """

    def __init__(self, path: Path | None) -> None:
        """Open the file; raises OSError or maxminddb.InvalidDatabaseError."""
        self._reader = maxminddb.open_database(path) if path else None

    def locate(self, ip: str | None) -> Location | None:
        """Return the location of an IP address, or None if it is unknown."""
        if self._reader is None or ip is None or (":" in ip and self._reader.metadata().ip_version == 4):
            return None
        record, prefix_length = self._reader.get_with_prefix_len(ip)
        if not isinstance(record, Mapping):
            return None
        return Location(
            city=_name(record.get("city")),
            country=_name(record.get("country")),
            network=str(ip_network((ip, prefix_length), strict=False)),
            operator=_operator(record),
            country_code=_code(record.get("country")),
        )


def _name(place: object) -> str | None:
    """Return the English name of a city or country; databases differ in their fields."""
    names = place.get("names") if isinstance(place, Mapping) else None
    name = names.get("en") if isinstance(names, Mapping) else None
    return name if isinstance(name, str) else None


def _code(place: object) -> str | None:
    code = place.get("iso_code") if isinstance(place, Mapping) else None
    return code if isinstance(code, str) else None


def _operator(record: Mapping[str, object]) -> str | None:
    number, name = record.get("autonomous_system_number"), record.get("autonomous_system_organization")
    parts = (f"AS{number}" if isinstance(number, int) else None, name if isinstance(name, str) else None)
    return " ".join(part for part in parts if part) or None
