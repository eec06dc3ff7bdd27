"""What every use-case is given from outside: its tools, and who is asking."""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta

from limits import RateLimitItem

from portal.domain.clock import Clock
from portal.domain.database import Database
from portal.domain.passwords import Hasher
from portal.domain.throttling import Throttle
from portal.domain.tokens import LinkSigner


@dataclass(frozen=True)
class Rules:
    """The numbers an operator may choose (contract.md, section 2)."""

    login_limit_account: RateLimitItem
    login_limit_network: RateLimitItem
    register_limit_network: RateLimitItem
    mail_limit_address: RateLimitItem
    mail_limit_network: RateLimitItem
    reset_lifetime: timedelta
    magic_lifetime: timedelta
    verify_lifetime: timedelta
    identity_lifetime: timedelta
    identity_idle: timedelta
    password_min_length: int
    event_retention: timedelta


@dataclass(frozen=True)
class Context:
    """The tools of the domain. One for the whole process; safe to share between threads."""

    database: Database
    clock: Clock
    hasher: Hasher
    throttle: Throttle
    signer: LinkSigner
    rules: Rules


@dataclass(frozen=True)
class Visitor:
    """Who is asking: for limits, and for the record of what happened."""

    organisation_id: int
    ip: str | None
    organisation_name: str = ""
    user_agent: str | None = None
    """Printable, and no longer than is stored."""
    request_id: str | None = None
    locale: str | None = None

    @property
    def network(self) -> str:
        """What counts as one place: an IPv4 address, or the /64 that one IPv6 customer is given as a whole."""
        return network_of(self.ip)


def read_ip(text: str | None) -> str | None:
    """An IP address in its canonical form, or None for what is none (a forwarded header can hold anything)."""
    try:
        return str(_ip(text))
    except ValueError:
        return None


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
    address = ipaddress.ip_address(text or "")
    return getattr(address, "ipv4_mapped", None) or address
