"""What every use-case is given from outside: its tools, and who is asking."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from limits import RateLimitItem

from portal.domain.geoip import GeoIPDatabase
from portal.domain.passwords.hashing import Hasher
from portal.domain.rate_limiter import RateLimiter
from portal.domain.tokens import LinkSigner
from portal.domain.values.ip_addresses import network_of
from portal.storage.clock import Clock
from portal.storage.database import Database


@dataclass(frozen=True)
class Rules:
    """The numbers an operator may choose (docs/settings.md)."""

    login_limit_account: RateLimitItem
    login_limit_network: RateLimitItem
    register_limit_network: RateLimitItem
    mail_limit_address: RateLimitItem
    mail_limit_network: RateLimitItem
    register_retry: timedelta
    api_limit_prod: RateLimitItem
    api_limit_dev: RateLimitItem
    form_limit_network: RateLimitItem
    reset_lifetime: timedelta
    reset_lifetime_max: timedelta
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
    rate_limiter: RateLimiter
    signer: LinkSigner
    geoip: GeoIPDatabase
    rules: Rules


@dataclass(frozen=True)
class Visitor:
    """Who is asking: for limits, and for the record of what happened."""

    organisation_id: int
    ip: str | None
    """In canonical form (values/ip_addresses.py); None when it is not known."""
    organisation_name: str = ""
    user_agent: str | None = None
    """Printable, and no longer than is stored."""
    request_id: str | None = None
    locale: str | None = None
    is_framed: bool = False
    """Whether the page stands in a frame on another site."""
    via_api: bool = False
    """Whether a shop's server asks on behalf of a customer, and `ip` is what it says of that customer."""
    device: str | None = field(default=None, repr=False)
    """The value of the browser's device cookie (devices.py), known or not; a secret."""

    @classmethod
    def operator(cls, organisation_id: int) -> Self:
        """The operator of an organisation, or the portal itself."""
        return cls(organisation_id=organisation_id, ip=None)

    @property
    def network(self) -> str | None:
        """What counts as one place: an IPv4 address, or the /64 that one IPv6 customer is given as a whole.

        None for a customer of whom the shop's server says nothing: no network is counted then, or all customers of the
        shop would be held up together. Whoever comes by themselves from an unreadable address shares one network.
        """
        return None if self.via_api and self.ip is None else network_of(self.ip)
