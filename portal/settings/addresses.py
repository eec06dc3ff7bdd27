"""Host names and URLs in the values of settings."""

from ipaddress import ip_address
from pathlib import Path

from sqlalchemy.engine import URL

from portal.domain.values.urls import parse_hostname


def is_loopback_host(host: str) -> bool:
    """Return whether a host name or address is this machine."""
    try:
        address = ip_address(host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return host == "localhost"


def is_host(text: str) -> bool:
    """Return whether a text is an IP address or an ASCII host name, with underscores and a final dot allowed."""
    name = text.lower().removesuffix(".").replace("_", "-")
    try:
        return parse_hostname(name) == name
    except ValueError:
        return _is_address(text)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def sqlite_url(path: Path) -> str:
    """Return the SQLAlchemy URL of a SQLite file, with characters such as ? and % escaped."""
    return URL.create("sqlite", database=str(path)).render_as_string()
