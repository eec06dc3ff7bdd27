"""Create, list and revoke the API keys of shops' servers.

Only the digest of a key is stored. A key is random, so a fast digest is safe. The key is shown once, on creation.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update

from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.tokens import digest_of, random_id
from portal.storage.database import retried
from portal.storage.models import ApiKey, Organisation

_RANDOM_LENGTH = 28
_FORMAT = re.compile(rf"(PROD|DEV_|ROOT)[A-Za-z0-9]{{{_RANDOM_LENGTH}}}", re.ASCII)


class KeyKind(StrEnum):
    """The kind of a key, which is its prefix."""

    PRODUCTION = "PROD"
    DEVELOPER = "DEV_"
    ROOT = "ROOT"
    """Has no request rate limit; the rate limits of accounts and mailboxes apply to it too."""


class Scope(StrEnum):
    """A permission of a key."""

    LOGIN = "login"
    MAGIC_AUTH = "magic-auth"
    REGISTER = "register"
    RESET = "reset"
    IDENTITY = "identity"
    GROUPS = "groups"
    """Allows a registration to set groups. Only for a shop that decides itself which customers join a group."""


DEFAULT_SCOPES = tuple(scope for scope in Scope if scope is not Scope.GROUPS)


class UnknownKey(LookupError):
    """No key has this id. The message is one sentence for the operator."""

    def __init__(self, key_id: int) -> None:
        super().__init__(f"There is no API key {key_id}.")


@dataclass(frozen=True)
class KeyRecord:
    """A key as the operator sees it, without any secret."""

    id: int
    organisation: str
    kind: str
    label: str | None
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def state(self, now: datetime) -> str:
        """Return "active", "expired" or "revoked"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


def is_key(text: str) -> bool:
    """Return whether a text has the format of a key."""
    return _FORMAT.fullmatch(text) is not None


@retried
def create(
    context: Context,
    organisation_id: int,
    kind: KeyKind,
    *,
    label: str | None = None,
    lifetime: timedelta | None = None,
    scopes: Iterable[Scope] = DEFAULT_SCOPES,
) -> tuple[int, str]:
    """Create a key for an organisation. Return its id and the key itself, which cannot be shown again."""
    key, now = kind + random_id(_RANDOM_LENGTH), context.clock()
    wanted = set(scopes)
    with context.database.write() as connection:
        key_id = connection.execute(
            insert(ApiKey).returning(ApiKey.c.id),
            {
                "organisation_id": organisation_id,
                "digest": digest_of(key),
                "kind": kind,
                "label": label,
                "scopes": [scope.value for scope in Scope if scope in wanted],
                "created_at": now,
                "expires_at": now + lifetime if lifetime else None,
            },
        ).scalar_one()
        record(connection, Visitor.operator(organisation_id), EventKind.KEY_CREATE, contact_id=None, now=now)
    return key_id, key


def list_keys(connection: Connection, organisation_id: int | None = None) -> list[KeyRecord]:
    """List all keys, or those of one organisation, in the order of their creation."""
    statement = (
        select(
            ApiKey.c.id,
            Organisation.c.slug.label("organisation"),
            ApiKey.c.kind,
            ApiKey.c.label,
            ApiKey.c.scopes,
            ApiKey.c.created_at,
            ApiKey.c.expires_at,
            ApiKey.c.revoked_at,
            ApiKey.c.last_used_at,
        )
        .join(Organisation, Organisation.c.id == ApiKey.c.organisation_id)
        .order_by(ApiKey.c.id)
    )
    if organisation_id is not None:
        statement = statement.where(ApiKey.c.organisation_id == organisation_id)
    return [KeyRecord(**row._asdict()) for row in connection.execute(statement)]


@retried
def revoke(context: Context, key_id: int) -> bool:
    """Revoke a key from the next request on. Return False if it was revoked already. Raises UnknownKey."""
    now = context.clock()
    with context.database.write() as connection:
        organisation_id = connection.execute(
            update(ApiKey)
            .where(ApiKey.c.id == key_id, ApiKey.c.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(ApiKey.c.organisation_id)
        ).scalar_one_or_none()
        if organisation_id is not None:
            record(connection, Visitor.operator(organisation_id), EventKind.KEY_REVOKE, contact_id=None, now=now)
        elif connection.execute(select(ApiKey.c.id).where(ApiKey.c.id == key_id)).one_or_none() is None:
            raise UnknownKey(key_id)
    return organisation_id is not None
