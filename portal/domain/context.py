"""The arguments of every use case: the tools of the process, and the visitor who makes the request."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from limits import RateLimitItem

from portal.domain.geoip import GeoIPDatabase
from portal.domain.passwords.breached import BreachedPasswords
from portal.domain.passwords.hashing import Hasher
from portal.domain.rate_limiter import RateLimiter
from portal.domain.secret_box import SecretBox
from portal.domain.tokens import LinkSigner, Purpose
from portal.domain.values.ip_addresses import network_of
from portal.storage.clock import Clock
from portal.storage.database import Database

NOTICE_LINK_LIFETIME = timedelta(hours=72)
"""How long a customer can report or undo, by the link in a notice, what they did not do."""


@dataclass(frozen=True)
class Rules:
    """The limits and lifetimes that an operator can set (docs/settings.md)."""

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
    deletion_grace: timedelta
    """Zero to erase at once."""

    def link_lifetime(self, purpose: Purpose) -> timedelta:
        """Return how long a link of a purpose can be used, unless the caller of the API chose another time."""
        return {
            Purpose.VERIFY: self.verify_lifetime,
            Purpose.RESET: self.reset_lifetime,
            Purpose.SIGN_IN: self.magic_lifetime,
            Purpose.REAUTHENTICATE: self.magic_lifetime,
            Purpose.KEEP: self.deletion_grace,
            Purpose.ADDRESS_CHANGE: self.verify_lifetime,
            Purpose.ADDRESS_UNDO: NOTICE_LINK_LIFETIME,
            Purpose.NOT_ME: NOTICE_LINK_LIFETIME,
        }[purpose]


@dataclass(frozen=True)
class Context:
    """The tools of the domain: one object for the whole process, thread-safe."""

    database: Database
    clock: Clock
    hasher: Hasher
    rate_limiter: RateLimiter
    signer: LinkSigner
    secret_box: SecretBox
    geoip: GeoIPDatabase
    breached: BreachedPasswords
    rules: Rules


@dataclass(frozen=True)
class Visitor:
    """The sender of a request, for rate limits and the audit log."""

    organisation_id: int
    ip: str | None
    """In canonical form (values/ip_addresses.py); None if unknown."""
    organisation_name: str = ""
    user_agent: str | None = None
    """Printable, and not longer than its column."""
    request_id: str | None = None
    locale: str | None = None
    is_framed: bool = False
    """Whether the page is in a frame on another site."""
    via_api: bool = False
    """Whether a shop's server sends the request for a customer; `ip` is then what it reports of the customer."""
    device: str | None = field(default=None, repr=False)
    """The value of the browser's device cookie (devices.py), of a known device or not. A secret."""

    browser: str | None = field(default=None, repr=False)
    """Identifies this browser until its next sign-in or sign-out; a secret."""
    reason: str | None = None
    """Why the operator does it, for the audit log."""

    @classmethod
    def operator(cls, organisation_id: int, reason: str | None = None) -> Self:
        """Return the visitor for what the operator of an organisation, or the portal itself, does."""
        return cls(organisation_id=organisation_id, ip=None, reason=reason)

    @property
    def network(self) -> str | None:
        """The network for rate limits: an IPv4 address, or the /64 of an IPv6 address (one customer's prefix).

        None for a customer whose IP address the shop's server does not report: otherwise all customers of the shop
        would share one limit. All browsers with an unreadable address share one network.
        """
        return None if self.via_api and self.ip is None else network_of(self.ip)
