"""Identities (sessions): start, find and end them. The session cookie and the API's `identityId` are the same value.

An identity is 32 random alphanumerics, stored as a fast digest, so that the table is useless to an attacker. Each
sign-in starts a new one. Logout, a change of password and a ban end it on the server; it expires when idle and after
an absolute lifetime.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, insert, not_, or_, select, update

from portal.domain import contacts
from portal.domain.contacts import ContactCredentials, is_ban_in_force, whole_name
from portal.domain.context import Context, Rules, Visitor
from portal.domain.tokens import digest_of, random_id
from portal.storage.backends import DatabaseUnavailable
from portal.storage.models import Account, Contact, Identity

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
    proved_at: datetime | None = None
    """When they last proved in this session to be the customer (recent_authentication.py)."""
    second_step_at: datetime | None = None
    """When they last passed the second step in this session, by a code or a passkey that verified its user."""


class Proof(Enum):
    """What the holder of a session has just shown of being the customer."""

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


_insert = insert(Identity)
_find = (
    select(
        Contact.id,
        Identity.id.label("identity_id"),
        Contact.organisation_id,
        Contact.email,
        Contact.email_key,
        Contact.cu_ref_no,
        Contact.name,
        Contact.first_name,
        Contact.last_name,
        Contact.locale,
        Contact.phone,
        Contact.company_name,
        Identity.proved_at,
        Identity.second_step_at,
        Identity.remember,
        Identity.seen_at,
        Identity.expires_at,
        Contact.banned_at,
        Contact.banned_until,
    )
    .join(Contact, Contact.id == Identity.contact_id)
    .where(
        Identity.digest == bindparam("digest"),
        Identity.ended_at.is_(None),
        Contact.organisation_id == bindparam("organisation_id"),
        Contact.erase_at.is_(None),
    )
)
_family_member = Identity.__table__.alias("bound")
_unless_locked = select(Identity.id).where(Identity.id == bindparam("identity_id")).with_for_update(skip_locked=True)
_update_seen_at = (
    update(Identity).where(Identity.id == _unless_locked.scalar_subquery()).values(seen_at=bindparam("now"))
)
_renew = (
    update(Identity)
    .where(Identity.id == bindparam("identity_id"), Identity.ended_at.is_(None))
    .values(digest=bindparam("new_digest"))
    .returning(Identity.id)
)
_RENEWALS = {
    Proof.FIRST_STEP: _renew.values(proved_at=bindparam("now")),
    Proof.SECOND_STEP: _renew.values(second_step_at=bindparam("now")),
    Proof.BOTH: _renew.values(proved_at=bindparam("now"), second_step_at=bindparam("now")),
}
_own = Identity.contact_id == bindparam("of_contact")
_end_all = update(Identity).where(_own, Identity.ended_at.is_(None)).values(ended_at=bindparam("now"))
_family_of = (
    select(_family_member.c.family)
    .where(_family_member.c.id == bindparam("identity_id"), _family_member.c.contact_id == bindparam("of_contact"))
    .scalar_subquery()
)
_end_one = (
    update(Identity)
    .where(_own, Identity.ended_at.is_(None))
    .where(or_(Identity.id == bindparam("identity_id"), Identity.family == _family_of))
    .values(ended_at=bindparam("now"))
    .returning(Identity.id)
)
_is_own = select(Identity.id).where(_own, Identity.id == bindparam("identity_id"))
_end_others = (
    update(Identity)
    .where(_own, Identity.ended_at.is_(None), Identity.id != bindparam("identity_id"))
    .where(or_(Identity.family.is_(None), _family_of.is_(None), Identity.family != _family_of))
    .values(ended_at=bindparam("now"))
    .returning(Identity.id)
)


def start(connection: Connection, rules: Rules, visitor: Visitor, new: NewIdentity, now: datetime) -> str:
    """Start an identity and return its value, which cannot be read again; end the one that it replaces.

    The caller has locked the contact's row.
    """
    if new.replacing is not None:
        end(connection, visitor.organisation_id, new.replacing, now)
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
            "created_at": now,
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
        Identity.ended_at.is_(None),
        Identity.expires_at > now,
        or_(
            and_(Identity.remember, Identity.seen_at > now - rules.identity_idle),
            and_(not_(Identity.remember), Identity.seen_at > now - SHORT_IDLE),
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
    )


def renew(connection: Connection, identity_id: int, now: datetime, proof: Proof = Proof.FIRST_STEP) -> str | None:
    """Go on with a session under a new identity, as one whose holder has just proved to be the customer.

    Returns it, or None for a session that has ended. When the session began, and its end, stay as they are.
    """
    raw = random_id()
    parameters = {"identity_id": identity_id, "new_digest": digest_of(raw), "now": now}
    return raw if connection.execute(_RENEWALS[proof], parameters).one_or_none() else None


def lock_signed_in(connection: Connection, customer: Customer) -> ContactCredentials:
    """Lock and return the contact of a customer whose session is still open.

    For what must not be done once more after all sessions have ended. Raises SessionEnded.
    """
    contact = contacts.lock(connection, customer.id)
    is_open = select(Identity.id).where(Identity.id == customer.identity_id, Identity.ended_at.is_(None))
    if contact is None or connection.execute(is_open).one_or_none() is None:
        raise SessionEnded
    return contact


def end_one(connection: Connection, contact_id: int, identity_id: int, now: datetime) -> bool | None:
    """End an identity of a contact by its id, and those that it is bound to.

    Return whether it was alive, or None when the contact has none of this id.
    """
    parameters = {"of_contact": contact_id, "identity_id": identity_id}
    if connection.execute(_end_one, {**parameters, "now": now}).all():
        return True
    return None if connection.execute(_is_own, parameters).one_or_none() is None else False


def end_others(connection: Connection, contact_id: int, identity_id: int, now: datetime) -> bool:
    """End every identity of a contact but one and those that are bound to it; return whether there was any."""
    parameters = {"of_contact": contact_id, "identity_id": identity_id, "now": now}
    return bool(connection.execute(_end_others, parameters).all())


def end(connection: Connection, organisation_id: int, raw: str, now: datetime) -> int | None:
    """End an identity and its session family. Return the id of its contact, or None if it had ended already."""
    digest = digest_of(raw)
    family = (
        select(_family_member.c.family)
        .where(_family_member.c.digest == digest, _family_member.c.ended_at.is_(None))
        .scalar_subquery()
    )
    # EXISTS, not IN: for an IN, SQLite would read all contacts of the organisation while it has the write lock.
    of_organisation = exists().where(Contact.id == Identity.contact_id, Contact.organisation_id == organisation_id)
    ended = (
        update(Identity)
        .where(
            or_(Identity.digest == digest, Identity.family == family),
            Identity.ended_at.is_(None),
            of_organisation,
        )
        .values(ended_at=now)
        .returning(Identity.contact_id)
    )
    return connection.execute(ended).scalars().first()


def end_started_by(connection: Connection, contact_id: int, started_by: bytes, now: datetime) -> bool:
    """End the identity that a form started for a contact; return whether it had not ended before."""
    ended = update(Identity).where(*_started_by(contact_id, started_by)).values(ended_at=now)
    return connection.execute(ended).rowcount > 0


def was_started_by(connection: Connection, contact_id: int, started_by: bytes) -> bool:
    """Return whether an identity that a form started for a contact has not ended."""
    return connection.execute(select(Identity.id).where(*_started_by(contact_id, started_by))).first() is not None


def _started_by(contact_id: int, started_by: bytes) -> tuple[ColumnElement[bool], ...]:
    return Identity.contact_id == contact_id, Identity.started_by == started_by, Identity.ended_at.is_(None)


class SignedOut(Enum):
    """The reason why an identity has ended, for its browser."""

    PASSWORD_CHANGED = auto()
    ENDED = auto()
    """By another device, by the operator, or with the account."""
    EXPIRED = auto()


def why_ended(context: Context, organisation_id: int, raw: str) -> SignedOut:
    """Return why an identity has ended."""
    statement = (
        select(Identity.ended_at, Account.password_set_at)
        .join(Contact, Contact.id == Identity.contact_id)
        .outerjoin(Account, Account.contact_id == Contact.id)
        .where(Identity.digest == digest_of(raw), Contact.organisation_id == organisation_id)
    )
    with context.database.read() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        return SignedOut.ENDED
    if row.ended_at is None:
        return SignedOut.EXPIRED
    # A change of password ends them in the same transaction, at the same moment.
    return SignedOut.PASSWORD_CHANGED if row.ended_at == row.password_set_at else SignedOut.ENDED


def end_all(connection: Connection, contact_id: int, now: datetime) -> None:
    connection.execute(_end_all, {"of_contact": contact_id, "now": now})
