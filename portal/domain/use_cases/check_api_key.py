"""Authenticate API requests: check a key in the order of docs/api.md#keys."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import NoReturn

from limits import RateLimitItem
from sqlalchemy import bindparam, or_, select, update

from portal.domain.api_keys import KeyKind, Scope, is_key
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.rate_limiter import Window
from portal.domain.rate_limits import api_key_limit
from portal.domain.tokens import digest_of
from portal.storage.backends import DatabaseUnavailable
from portal.storage.models import ApiKey, Organisation

_log = logging.getLogger("portal.keys")
_USE_PRECISION = timedelta(minutes=1)
"""`last_used_at` is written at most once in this time, to save writes."""


class KeyProblem(Enum):
    """A problem of a key: the code and message for the shop's server."""

    EMPTY = (
        "PUBLIC_API_KEY_IS_EMPTY",
        "There is no API key: send it as Authorization: Bearer KEY, or as apiKey in the query or the JSON body.",
    )
    MALFORMED = ("PUBLIC_API_KEY_IS_NOT_IN_VALID_FORMAT", "The API key does not have the form of one.")
    UNKNOWN = ("PUBLIC_API_KEY_DOES_NOT_EXIST", "There is no such API key.")
    EXPIRED = ("PUBLIC_API_KEY_HAS_BEEN_EXPIRED", "The API key has expired.")
    REVOKED = ("PUBLIC_API_KEY_HAS_BEEN_DELETED", "The API key has been revoked.")
    TOO_MANY = ("RATE_LIMIT_EXCEEDED", "Too many requests.")
    """For a key above its rate limit, and for too many keys that do not exist."""
    NO_SCOPE = ("PUBLIC_API_KEY_HAS_NO_PERMISSION", "The API key may not be used for this.")

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message


class KeyRefused(Exception):
    """A key was refused. `window` is the state of the rate limit, if that is the reason."""

    def __init__(self, problem: KeyProblem, *, window: Window | None = None) -> None:
        super().__init__(problem.name)
        self.problem = problem
        self.window = window


@dataclass(frozen=True)
class Caller:
    """The shop's server that an accepted key belongs to."""

    key_id: int
    organisation_id: int
    organisation_name: str
    return_origins: tuple[str, ...]
    scopes: frozenset[str]
    rate: RateLimitItem | None
    """The request rate limit of the key, or None."""

    def require(self, scope: Scope) -> None:
        """Raise KeyRefused(NO_SCOPE) if the key lacks a scope."""
        if scope not in self.scopes:
            raise KeyRefused(KeyProblem.NO_SCOPE)


_find = (
    select(
        ApiKey.c.id,
        ApiKey.c.organisation_id,
        Organisation.c.name.label("organisation_name"),
        Organisation.c.return_origins,
        ApiKey.c.kind,
        ApiKey.c.scopes,
        ApiKey.c.expires_at,
        ApiKey.c.revoked_at,
        ApiKey.c.last_used_at,
    )
    .join(Organisation, Organisation.c.id == ApiKey.c.organisation_id)
    .where(ApiKey.c.digest == bindparam("digest"))
)
_update_last_use = (
    update(ApiKey)
    .where(
        ApiKey.c.id.in_(
            select(ApiKey.c.id)
            .where(
                ApiKey.c.id == bindparam("key_id"),
                or_(ApiKey.c.last_used_at.is_(None), ApiKey.c.last_used_at <= bindparam("before")),
            )
            .with_for_update(skip_locked=True)
        )
    )
    .values(last_used_at=bindparam("now"))
)


def authenticate(context: Context, key: str | None, *, network: str, request_id: str | None = None) -> Caller:
    """Return the caller that a key belongs to; raises KeyRefused.

    Keys that do not exist are counted on the network of the connection. A valid key is accepted above that limit: it
    cannot be guessed, and other callers in an attacker's network must not be blocked.
    """
    if not key:
        raise KeyRefused(KeyProblem.EMPTY)
    if not is_key(key):
        raise KeyRefused(KeyProblem.MALFORMED)
    with context.database.read() as connection:
        row = connection.execute(_find, {"digest": digest_of(key)}).one_or_none()
    if row is None:
        _refuse_unknown(context, network, request_id)
    now = context.clock()
    if row.expires_at is not None and row.expires_at <= now:
        raise KeyRefused(KeyProblem.EXPIRED)
    if row.revoked_at is not None:
        raise KeyRefused(KeyProblem.REVOKED)
    if row.last_used_at is None or row.last_used_at <= now - _USE_PRECISION:
        _record_use(context, row.id, now)
    return Caller(
        row.id,
        row.organisation_id,
        row.organisation_name,
        tuple(row.return_origins),
        frozenset(row.scopes),
        _rate(context, row.kind),
    )


def _refuse_unknown(context: Context, network: str, request_id: str | None) -> NoReturn:
    window = context.rate_limiter.hit(api_key_limit(context, network))
    if not window.is_exceeded:
        raise KeyRefused(KeyProblem.UNKNOWN)
    if window.is_first_excess:  # logged, not recorded as an event: the organisation is unknown
        fields = {"network": network, "request": request_id}
        words = "API keys: too many unknown keys from network=%(network)s request=%(request)s"
        _log.warning(words, fields, extra={"fields": fields})
    raise KeyRefused(KeyProblem.TOO_MANY, window=window)


def _rate(context: Context, kind: str) -> RateLimitItem | None:
    if kind == KeyKind.ROOT:
        return None
    return context.rules.api_limit_dev if kind == KeyKind.DEVELOPER else context.rules.api_limit_prod


def record_excess(context: Context, caller: Caller, request_id: str | None) -> None:
    """Record as an event that a key exceeded its rate limit. To be called once per window."""
    with context.database.write() as connection:
        visitor = Visitor(organisation_id=caller.organisation_id, ip=None, request_id=request_id)
        record(connection, visitor, EventKind.KEY_LIMIT, contact_id=None, now=context.clock())


def _record_use(context: Context, key_id: int, now: datetime) -> None:
    """Store the time of a key's last use, or skip it if the database is locked or not writable.

    So a request never waits for this write or fails because of it.
    """
    with suppress(DatabaseUnavailable), context.database.write_without_waiting() as connection:
        connection.execute(_update_last_use, {"key_id": key_id, "now": now, "before": now - _USE_PRECISION})
