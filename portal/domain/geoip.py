"""Where an IP address is, as far as a database that the operator brings knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import maxminddb


@dataclass(frozen=True)
class Location:
    """What is known of an address; each part may be missing."""

    city: str | None
    country: str | None
    network: str
    """The block of addresses that this is known of, such as "192.0.2.0/24"."""
    operator: str | None
    """Who runs the network, such as "AS64496 Example Net"."""
    country_code: str | None = None
    """ISO 3166-1 alpha-2."""

    @property
    def place(self) -> str | None:
        """The city and the country, such as "Prague, CZ"; None when neither is known."""
        return ", ".join(part for part in (self.city, self.country_code or self.country) if part) or None

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.city, self.country) if part)
        run_by = " ".join(part for part in (self.network, self.operator) if part)
        return f"{where} ({run_by})" if where else run_by


class GeoIPDatabase:
    """A database in MaxMind's format (.mmdb), with their names of fields; without one nothing is known.

    Safe to share between threads; looking something up asks nobody.
    """

    def __init__(self, path: Path | None) -> None:
        """Raises OSError or maxminddb.InvalidDatabaseError for a file that cannot be read."""
        self._reader = maxminddb.open_database(path) if path else None

    def locate(self, ip: str | None) -> Location | None:
        """Where an address is, or None when that is not known."""
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


def _name(thing: Any) -> str | None:
    """The English name of a city or country; databases differ in what they hold."""
    names = thing.get("names") if isinstance(thing, Mapping) else None
    name = names.get("en") if isinstance(names, Mapping) else None
    return name if isinstance(name, str) else None


def _code(country: Any) -> str | None:
    code = country.get("iso_code") if isinstance(country, Mapping) else None
    return code if isinstance(code, str) else None


def _operator(record: Mapping[str, Any]) -> str | None:
    number, name = record.get("autonomous_system_number"), record.get("autonomous_system_organization")
    parts = (f"AS{number}" if isinstance(number, int) else None, name if isinstance(name, str) else None)
    return " ".join(part for part in parts if part) or None
