"""Identities (sessions): start, find and renew them. The session cookie and the API's `identityId` are the same value.

An identity is 32 random alphanumerics, stored as a fast digest, so that the table is useless to an attacker. Each
sign-in starts a new one. Logout, a change of password and a ban end it on the server (sign_outs.py); it expires when
idle and after an absolute lifetime.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto

from sqlalchemy import ColumnElement, Connection, and_, bindparam, insert, not_, or_, select, update

from portal.domain import contacts, sign_outs
from portal.domain.contacts import ContactCredentials, is_ban_in_force, whole_name
from portal.domain.context import Context, Rules, Visitor
from portal.domain.tokens import digest_of, random_id
from portal.storage.backends import DatabaseUnavailable
from portal.storage.models import Contact, Identity

SHORT_LIFETIME = timedelta(hours=12)
SHORT_IDLE = timedelta(hours=2)
"""Lifetime and idle time of an identity without "remember me"."""
_SEEN_PRECISION = timedelta(minutes=1)
"""`seen_at` is written at most once in this time, to save writes."""


class Channel(StrEnum):
    """Where an identity is used."""

    BROWSER = "browser"
    FRAME = "frame"
    """In a frame on another site."""
    API = "api"
    """By a shop's server."""


@dataclass(frozen=True)
class Customer:
    """The customer who is signed in by an identity."""

    id: int
    identity_id: int
    organisation_id: int
    email: str | None
    email_key: str | None
    cu_ref_no: str
    name: str
    first_name: str | None
    last_name: str | None
    company_name: str | None
    phone: str | None
    locale: str | None
    signed_in_at: datetime
    """When this session began."""
    proved_at: datetime | None = None
    """When they last proved in this session to be the customer (recent_authentication.py)."""
    second_step_at: datetime | None = None
    """When they last passed the second step in this session, by a code or a passkey that verified its user."""


class Proof(Enum):
    """What a customer has just proved in a session."""

    FIRST_STEP = auto()
    """The password, a code from an email, or a passkey."""
    SECOND_STEP = auto()
    """A code of the second step."""
    BOTH = auto()
    """A passkey whose authenticator has verified its user."""


class SessionEnded(Exception):
    """The customer's session was ended while a request was carried out."""


@dataclass(frozen=True)
class NewIdentity:
    """The identity that a sign-in starts."""

    contact_id: int
    remember: bool
    replacing: str | None = field(default=None, repr=False)
    """The identity that the browser has so far; it ends."""
    family: str | None = None
    """The session family to join: identities that end together."""
    started_by: bytes | None = None
    """The digest of the form that starts it (`end_started_by`)."""
    is_proof: bool = False
    """Whether it begins with the password, a passkey or a proof of the mailbox (recent_authentication.py)."""
    second_step_at: datetime | None = None
    """When the second step was passed."""
    signed_in_at: datetime | None = None
    """When the session began, if the identity is a new one for a session that goes on."""

    @classmethod
    def next_of(cls, customer: Customer, *, remember: bool) -> "NewIdentity":
        """Return the next identity of a customer's session, which has just ended with all others."""
        return cls(
            customer.id,
            remember,
            is_proof=True,
            second_step_at=customer.second_step_at,
            signed_in_at=customer.signed_in_at,
        )


_insert = insert(Identity)
_find = (
    select(
        Contact.c.id,
        Identity.c.id.label("identity_id"),
        Contact.c.organisation_id,
        Contact.c.email,
        Contact.c.email_key,
        Contact.c.cu_ref_no,
        Contact.c.name,
        Contact.c.first_name,
        Contact.c.last_name,
        Contact.c.locale,
        Contact.c.phone,
        Contact.c.company_name,
        Identity.c.proved_at,
        Identity.c.second_step_at,
        Identity.c.created_at.label("signed_in_at"),
        Identity.c.remember.label("remember"),  # the column has another name
        Identity.c.seen_at,
        Identity.c.expires_at,
        Contact.c.banned_at,
        Contact.c.banned_until,
    )
    .join(Contact, Contact.c.id == Identity.c.contact_id)
    .where(
        Identity.c.digest == bindparam("digest"),
        Identity.c.ended_at.is_(None),
        Contact.c.organisation_id == bindparam("organisation_id"),
        Contact.c.erase_at.is_(None),
    )
)
_is_open = select(Identity.c.id).where(Identity.c.id == bindparam("identity_id"), Identity.c.ended_at.is_(None))
_unless_locked = (
    select(Identity.c.id).where(Identity.c.id == bindparam("identity_id")).with_for_update(skip_locked=True)
)
_update_seen_at = (
    update(Identity).where(Identity.c.id == _unless_locked.scalar_subquery()).values(seen_at=bindparam("now"))
)
_renew = (
    update(Identity)
    .where(Identity.c.id == bindparam("identity_id"), Identity.c.ended_at.is_(None))
    .values(digest=bindparam("new_digest"))
    .returning(Identity.c.id)
)
_RENEWALS = {
    Proof.FIRST_STEP: _renew.values(proved_at=bindparam("now")),
    Proof.SECOND_STEP: _renew.values(second_step_at=bindparam("now")),
    Proof.BOTH: _renew.values(proved_at=bindparam("now"), second_step_at=bindparam("now")),
}


def start(connection: Connection, rules: Rules, visitor: Visitor, new: NewIdentity, now: datetime) -> str:
    """Start an identity and return its value, which cannot be read again; end the one that it replaces.

    The caller has locked the contact's row.
    """
    if new.replacing is not None:
        sign_outs.end(connection, visitor.organisation_id, new.replacing, now)
    raw = random_id()
    connection.execute(
        _insert,
        {
            "contact_id": new.contact_id,
            "digest": digest_of(raw),
            "remember": new.remember,
            "family": new.family,
            "started_by": new.started_by,
            "ip": visitor.ip,
            "user_agent": visitor.user_agent,
            "channel": _channel(visitor),
            "proved_at": now if new.is_proof else None,
            "second_step_at": new.second_step_at,
            "created_at": new.signed_in_at or now,
            "seen_at": now,
            "expires_at": now + (rules.identity_lifetime if new.remember else SHORT_LIFETIME),
        },
    )
    return raw


def _channel(visitor: Visitor) -> Channel:
    if visitor.via_api:
        return Channel.API
    return Channel.FRAME if visitor.is_framed else Channel.BROWSER


def is_live(rules: Rules, now: datetime) -> ColumnElement[bool]:
    """Whether an identity would be accepted now, as `find` decides."""
    return and_(
        Identity.c.ended_at.is_(None),
        Identity.c.expires_at > now,
        or_(
            and_(Identity.c.remember, Identity.c.seen_at > now - rules.identity_idle),
            and_(not_(Identity.c.remember), Identity.c.seen_at > now - SHORT_IDLE),
        ),
    )


def find(context: Context, organisation_id: int, raw: str) -> Customer | None:
    """Return the customer of an identity that has not ended or expired, and extend its idle time."""
    now = context.clock()
    with context.database.read() as connection:
        row = connection.execute(_find, {"digest": digest_of(raw), "organisation_id": organisation_id}).one_or_none()
    if row is None or now >= row.expires_at or is_ban_in_force(row.banned_at, row.banned_until, now):
        return None
    idle = context.rules.identity_idle if row.remember else SHORT_IDLE
    if now >= row.seen_at + idle:
        return None
    if now >= row.seen_at + min(_SEEN_PRECISION, idle / 10):
        # Reads keep working if nothing can be written (another writer, a full disk).
        with suppress(DatabaseUnavailable), context.database.write_without_waiting() as connection:
            connection.execute(_update_seen_at, {"identity_id": row.identity_id, "now": now})
    return Customer(
        id=row.id,
        identity_id=row.identity_id,
        organisation_id=row.organisation_id,
        email=row.email,
        email_key=row.email_key,
        cu_ref_no=row.cu_ref_no,
        name=whole_name(row.name, row.first_name, row.last_name),
        first_name=row.first_name,
        last_name=row.last_name,
        company_name=row.company_name,
        phone=row.phone,
        locale=row.locale,
        proved_at=row.proved_at,
        second_step_at=row.second_step_at,
        signed_in_at=row.signed_in_at,
    )


def renew(connection: Connection, identity_id: int, now: datetime, proof: Proof = Proof.FIRST_STEP) -> str | None:
    """Replace the identity of a session whose customer has just reauthenticated.

    Return the new one, or None for a session that has ended. The session keeps its start and its end.
    """
    raw = random_id()
    parameters = {"identity_id": identity_id, "new_digest": digest_of(raw), "now": now}
    return raw if connection.execute(_RENEWALS[proof], parameters).one_or_none() else None


def lock_signed_in(connection: Connection, customer: Customer) -> ContactCredentials:
    """Lock and return the contact of a customer whose session is still open.

    For what must not be done once more after all sessions have ended. Raises SessionEnded.
    """
    contact = contacts.lock(connection, customer.id)
    parameters = {"identity_id": customer.identity_id}
    if contact is None or connection.execute(_is_open, parameters).one_or_none() is None:
        raise SessionEnded
    return contact
