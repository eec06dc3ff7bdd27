"""End identities (sessions), and tell a browser why its identity has ended."""

from datetime import datetime
from enum import Enum, auto

from sqlalchemy import ColumnElement, Connection, bindparam, exists, or_, select, update

from portal.domain.context import Context
from portal.domain.tokens import digest_of
from portal.storage.models import Account, Contact, Identity

_family_member = Identity.alias("bound")
_own = Identity.c.contact_id == bindparam("of_contact")
_end_all = update(Identity).where(_own, Identity.c.ended_at.is_(None)).values(ended_at=bindparam("now"))
_family_of = (
    select(_family_member.c.family)
    .where(_family_member.c.id == bindparam("identity_id"), _family_member.c.contact_id == bindparam("of_contact"))
    .scalar_subquery()
)
_end_one = (
    update(Identity)
    .where(_own, Identity.c.ended_at.is_(None))
    .where(or_(Identity.c.id == bindparam("identity_id"), Identity.c.family == _family_of))
    .values(ended_at=bindparam("now"))
    .returning(Identity.c.id)
)
_is_own = select(Identity.c.id).where(_own, Identity.c.id == bindparam("identity_id"))
_end_others = (
    update(Identity)
    .where(_own, Identity.c.ended_at.is_(None), Identity.c.id != bindparam("identity_id"))
    .where(or_(Identity.c.family.is_(None), _family_of.is_(None), Identity.c.family != _family_of))
    .values(ended_at=bindparam("now"))
    .returning(Identity.c.id)
)

_family_of_digest = (
    select(_family_member.c.family)
    .where(_family_member.c.digest == bindparam("of_digest"), _family_member.c.ended_at.is_(None))
    .scalar_subquery()
)
# EXISTS, not IN: for an IN, SQLite would read all contacts of the organisation while it has the write lock.
_is_of_organisation = exists().where(
    Contact.c.id == Identity.c.contact_id, Contact.c.organisation_id == bindparam("of_organisation")
)
_end_with_family = (
    update(Identity)
    .where(or_(Identity.c.digest == bindparam("of_digest"), Identity.c.family == _family_of_digest))
    .where(Identity.c.ended_at.is_(None), _is_of_organisation)
    .values(ended_at=bindparam("now"))
    .returning(Identity.c.contact_id)
)


def end_all(connection: Connection, contact_id: int, now: datetime) -> None:
    connection.execute(_end_all, {"of_contact": contact_id, "now": now})


def end_one(connection: Connection, contact_id: int, identity_id: int, now: datetime) -> bool | None:
    """End an identity of a contact by its id, and those that it is bound to.

    Return whether it was alive, or None when the contact has none of this id.
    """
    parameters = {"of_contact": contact_id, "identity_id": identity_id}
    if connection.execute(_end_one, {**parameters, "now": now}).all():
        return True
    return None if connection.execute(_is_own, parameters).one_or_none() is None else False


def end_others(connection: Connection, contact_id: int, identity_id: int, now: datetime) -> bool:
    """End all identities of a contact except one and those bound to it; return whether any was ended."""
    parameters = {"of_contact": contact_id, "identity_id": identity_id, "now": now}
    return bool(connection.execute(_end_others, parameters).all())


def end(connection: Connection, organisation_id: int, raw: str, now: datetime) -> int | None:
    """End an identity and its session family. Return the id of its contact, or None if it had ended already."""
    parameters = {"of_digest": digest_of(raw), "of_organisation": organisation_id, "now": now}
    return connection.execute(_end_with_family, parameters).scalars().first()


def end_started_by(connection: Connection, contact_id: int, started_by: bytes, now: datetime) -> bool:
    """End the identity that a form started for a contact; return whether it had not ended before."""
    ended = update(Identity).where(*_started_by(contact_id, started_by)).values(ended_at=now)
    return connection.execute(ended).rowcount > 0


def was_started_by(connection: Connection, contact_id: int, started_by: bytes) -> bool:
    """Return whether an identity that a form started for a contact has not ended."""
    return connection.execute(select(Identity.c.id).where(*_started_by(contact_id, started_by))).first() is not None


def _started_by(contact_id: int, started_by: bytes) -> tuple[ColumnElement[bool], ...]:
    return Identity.c.contact_id == contact_id, Identity.c.started_by == started_by, Identity.c.ended_at.is_(None)


class SignedOut(Enum):
    """The reason why an identity has ended, for its browser."""

    PASSWORD_CHANGED = auto()
    ENDED = auto()
    """By another device or by the operator."""
    CLOSED = auto()
    """The customer has closed the account."""
    EXPIRED = auto()
    UNKNOWN = auto()
    """The identity was replaced by another one, which its browser did not receive, or erased with the account."""


def why_ended(context: Context, organisation_id: int, raw: str) -> SignedOut:
    """Return why an identity has ended."""
    statement = (
        select(Identity.c.ended_at, Account.c.password_set_at, Contact.c.erase_at)
        .join(Contact, Contact.c.id == Identity.c.contact_id)
        .outerjoin(Account, Account.c.contact_id == Contact.c.id)
        .where(Identity.c.digest == digest_of(raw), Contact.c.organisation_id == organisation_id)
    )
    with context.database.read() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        return SignedOut.UNKNOWN
    if row.erase_at is not None:
        return SignedOut.CLOSED
    if row.ended_at is None:
        return SignedOut.EXPIRED
    # A change of password ends them in the same transaction, at the same moment.
    return SignedOut.PASSWORD_CHANGED if row.ended_at == row.password_set_at else SignedOut.ENDED
