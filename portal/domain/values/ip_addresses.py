"""Where somebody asks from: the normal form of an IP address, and what counts as one place."""

import ipaddress
import re

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.text import cleaned

_WITH_PORT = re.compile(r"\A(?:([0-9.]+):[0-9]+|\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?)\Z")
_NOT_GIVEN = frozenset({"", "localhost", "::1", "0.0.0.0", "127.0.0.1"})  # noqa: S104 - a text to compare with
"""What shops send for "I do not know"; all of it counts as not given (docs/api.md#fields)."""


def parse_customer_ip(text: str) -> str | None:
    """The IP address that a shop says its customer has, in canonical form; None when it gives none.

    Raises InvalidAddress.
    """
    text = cleaned(text).lower()
    if text in _NOT_GIVEN:
        return None
    ip = read_ip(text) if "%" not in text else None  # a zone means something on one machine only
    if ip is None:
        raise InvalidValue(N_("Enter an IPv4 or IPv6 address, like 192.0.2.1 or 2001:db8::1."))
    return None if ip in _NOT_GIVEN else ip


def read_ip(text: str | None) -> str | None:
    """An IP address in its canonical form, or None for what is none (a forwarded header can hold anything)."""
    try:
        return str(_ip(text))
    except ValueError:
        return None


def without_ports(forwarded_for: str) -> str:
    """Return the value of X-Forwarded-For without the ports that some proxies write ("192.0.2.1:5000", "[::1]:443")."""
    return ",".join(_WITH_PORT.sub(r"\1\2", part.strip()) for part in forwarded_for.split(","))


def network_of(text: str | None) -> str:
    """The canonical network of an address; all unreadable ones share one."""
    try:
        address = _ip(text)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)


def _ip(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    # Without the zone of a link-local address ("%eth0"), which may be any text.
    address = ipaddress.ip_address((text or "").partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
