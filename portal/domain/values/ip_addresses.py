"""Parse IP addresses into their canonical form, and get the network that rate limits count."""

import ipaddress
import re

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.text import cleaned

_WITH_PORT = re.compile(r"\A(?:([0-9.]+):[0-9]+|\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?)\Z")
_NOT_GIVEN = frozenset({"", "localhost", "::1", "0.0.0.0", "127.0.0.1"})  # noqa: S104 - a text to compare with
"""Values that shops send for an unknown address; they count as missing (docs/api.md#fields)."""


def parse_customer_ip(text: str) -> str | None:
    """Return the IP address of a customer, as a shop reports it, in canonical form; None if it is unknown.

    Raises InvalidValue.
    """
    text = cleaned(text).lower()
    if text in _NOT_GIVEN:
        return None
    ip = read_ip(text) if "%" not in text else None  # a zone is only valid on one machine
    if ip is None:
        raise InvalidValue(N_("Enter an IPv4 or IPv6 address, like 192.0.2.1 or 2001:db8::1."))
    return None if ip in _NOT_GIVEN else ip


def read_ip(text: str | None) -> str | None:
    """Return an IP address in canonical form, or None for any other text (a forwarded header can contain anything)."""
    try:
        return str(_ip(text))
    except ValueError:
        return None


def without_ports(forwarded_for: str) -> str:
    """Return the value of X-Forwarded-For without the ports that some proxies write ("192.0.2.1:5000", "[::1]:443")."""
    return ",".join(_WITH_PORT.sub(r"\1\2", part.strip()) for part in forwarded_for.split(","))


def network_of(text: str | None) -> str:
    """Return the canonical network of an address: an IPv4 address or an IPv6 /64; "unknown" for an invalid one."""
    try:
        address = _ip(text)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)


def _ip(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    # Without the zone of a link-local address ("%eth0"), which can be any text.
    address = ipaddress.ip_address((text or "").partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
