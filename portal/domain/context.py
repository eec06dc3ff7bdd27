"""What every use-case is given from outside: its tools, and who is asking."""

from dataclasses import dataclass, field
from datetime import timedelta

from limits import RateLimitItem

from portal.domain.clock import Clock
from portal.domain.database import Database
from portal.domain.hashing import Hasher
from portal.domain.networks import network_of
from portal.domain.places import Atlas
from portal.domain.throttling import Throttle
from portal.domain.tokens import LinkSigner


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
    throttle: Throttle
    signer: LinkSigner
    atlas: Atlas
    rules: Rules


@dataclass(frozen=True)
class Visitor:
    """Who is asking: for limits, and for the record of what happened."""

    organisation_id: int
    ip: str | None
    """In canonical form (networks.py); None when it is not known."""
    organisation_name: str = ""
    user_agent: str | None = None
    """Printable, and no longer than is stored."""
    request_id: str | None = None
    locale: str | None = None
    through_shop: bool = False
    """Whether a shop's server asks on behalf of a customer, and `ip` is what it says of that customer."""
    device: str | None = field(default=None, repr=False)
    """The value of the browser's device cookie (devices.py), known or not; a secret."""

    browser: str | None = field(default=None, repr=False)
    """What tells this browser from others until its next sign-in or sign-out; a secret."""

    @property
    def network(self) -> str | None:
        """What counts as one place: an IPv4 address, or the /64 that one IPv6 customer is given as a whole.

        None for a customer of whom the shop's server says nothing: no network is counted then, or all customers of the
        shop would be held up together. Whoever comes by themselves from an unreadable address shares one network.
        """
        return None if self.through_shop and self.ip is None else network_of(self.ip)
