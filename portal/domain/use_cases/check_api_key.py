"""Who may use the API: the checks of a key, in the order of docs/api.md#keys."""

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
"""Not every request is a write."""


class KeyProblem(Enum):
    """What can be wrong with a key: the code and message that a shop's server reads."""

    EMPTY = (
        "PUBLIC_API_KEY_IS_EMPTY",
        "There is no API key: send it as Authorization: Bearer KEY, or as apiKey in the query or the JSON body.",
    )
    MALFORMED = ("PUBLIC_API_KEY_IS_NOT_IN_VALID_FORMAT", "The API key does not have the form of one.")
    UNKNOWN = ("PUBLIC_API_KEY_DOES_NOT_EXIST", "There is no such API key.")
    EXPIRED = ("PUBLIC_API_KEY_HAS_BEEN_EXPIRED", "The API key has expired.")
    REVOKED = ("PUBLIC_API_KEY_HAS_BEEN_DELETED", "The API key has been revoked.")
    TOO_MANY = ("RATE_LIMIT_EXCEEDED", "Too many requests.")
    """For a key that is used more often than its rate allows, and for too many keys that do not exist."""
    NO_SCOPE = ("PUBLIC_API_KEY_HAS_NO_PERMISSION", "The API key may not be used for this.")

    @property
    def code(self) -> str:
        """What programs read."""
        return self.value[0]

    @property
    def message(self) -> str:
        """What people read."""
        return self.value[1]


class KeyRefused(Exception):
    """A key opens nothing. `standing` is where it stands in its rate, when that is why."""

    def __init__(self, problem: KeyProblem, *, window: Window | None = None) -> None:
        super().__init__(problem.name)
        self.problem = problem
        self.window = window


@dataclass(frozen=True)
class Caller:
    """The shop's server behind a key that may be used."""

    key_id: int
    organisation_id: int
    organisation_name: str
    return_origins: tuple[str, ...]
    scopes: frozenset[str]
    rate: RateLimitItem | None
    """How many requests the key may be used for; None for one without a limit."""

    def require(self, scope: Scope) -> None:
        """Raises KeyRefused(NO_SCOPE) when the key lacks a scope."""
        if scope not in self.scopes:
            raise KeyRefused(KeyProblem.NO_SCOPE)


_find = (
    select(
        ApiKey.id,
        ApiKey.organisation_id,
        Organisation.name.label("organisation_name"),
        Organisation.return_origins,
        ApiKey.kind,
        ApiKey.scopes,
        ApiKey.expires_at,
        ApiKey.revoked_at,
        ApiKey.last_used_at,
    )
    .join(Organisation, Organisation.id == ApiKey.organisation_id)
    .where(ApiKey.digest == bindparam("digest"))
)
_see = (
    update(ApiKey)
    .where(
        ApiKey.id.in_(
            select(ApiKey.id)
            .where(
                ApiKey.id == bindparam("key_id"),
                or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= bindparam("before")),
            )
            .with_for_update(skip_locked=True)
        )
    )
    .values(last_used_at=bindparam("now"))
)


def admit(context: Context, key: str | None, *, network: str, request_id: str | None = None) -> Caller:
    """The caller behind a key. Raises KeyRefused.

    Keys that do not exist are counted on the network that the connection comes from. A good key is never in their way:
    it cannot be guessed, and whoever shares a network with somebody who tries is not to suffer for it.
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
        _note_use(context, row.id, now)
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
    if window.is_first_excess:  # no organisation's event: nobody knows whose key was meant
        fields = {"network": network, "request": request_id}
        _log.warning("keys are guessed from network=%(network)s request=%(request)s", fields, extra={"fields": fields})
    raise KeyRefused(KeyProblem.TOO_MANY, window=window)


def _rate(context: Context, kind: str) -> RateLimitItem | None:
    if kind == KeyKind.ROOT:
        return None
    return context.rules.api_limit_dev if kind == KeyKind.DEVELOPER else context.rules.api_limit_prod


def record_excess(context: Context, caller: Caller, request_id: str | None) -> None:
    """Record that a key is used more often than its rate allows: once in each window, so that a flood makes no rows."""
    with context.database.write() as connection:
        visitor = Visitor(organisation_id=caller.organisation_id, ip=None, request_id=request_id)
        record(connection, visitor, EventKind.KEY_LIMIT, contact_id=None, now=context.clock())


def _note_use(context: Context, key_id: int, now: datetime) -> None:
    """Remember that a key was used; when somebody else writes at this moment, or nothing can be written, a next time.

    No request waits for this or fails with it.
    """
    with suppress(DatabaseUnavailable), context.database.write_without_waiting() as connection:
        connection.execute(_see, {"key_id": key_id, "now": now, "before": now - _USE_PRECISION})
