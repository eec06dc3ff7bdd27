"""One-time links: issue, check, consume and end them.

The row stores purpose, address, expiry and use, so that single use is one UPDATE. The token is signed when the email is
sent (tokens.py), so neither the database nor the outbox contains anything that gives access to an account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    insert,
    select,
    update,
)

from portal.domain import contacts
from portal.domain.audit_log import EventKind
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.rate_limits import attempt, link_limits
from portal.domain.tokens import Purpose, random_id
from portal.storage.models import Contact, Link, Registration
from portal.storage.models.base import UtcDateTime

REDEMPTIONS = {
    Purpose.VERIFY: EventKind.CONFIRM,
    Purpose.RESET: EventKind.RESET,
    Purpose.SIGN_IN: EventKind.SIGN_IN_BY_EMAIL,
    Purpose.REAUTHENTICATE: EventKind.REAUTHENTICATION,
    Purpose.NOT_ME: EventKind.NOT_ME,
    Purpose.KEEP: EventKind.KEEP,
    Purpose.ADDRESS_CHANGE: EventKind.ADDRESS_CHANGE,
    Purpose.ADDRESS_UNDO: EventKind.ADDRESS_CHANGE_UNDO,
}
"""The audit event for the use of a link or its code."""


@dataclass(frozen=True)
class NewLink:
    """A link to issue."""

    purpose: Purpose
    contact_id: int | None
    email: str | None
    expires_at: datetime
    registration_id: int | None = None
    usable: bool = True
    """False for a decoy, which has ended from the start: it keeps the timing the same."""


@dataclass(frozen=True)
class IssuedLink:
    """A link that was just stored; the requesting browser stores the public id to enter the code later."""

    id: int
    public_id: str


@dataclass(frozen=True)
class OpenLink:
    """A link that can be used now."""

    id: int
    public_id: str
    purpose: Purpose
    contact_id: int
    registration_id: int | None
    email: str


class LinkUsed(Refused):
    """A link was used before: the refusal that says which one, for the browser that used it (web/link_page.py)."""

    def __init__(self, failure: Failure, link: OpenLink, used_at: datetime) -> None:
        super().__init__(failure)
        self.link = link
        self.used_at = used_at


_is_unended = (Link.c.used_at.is_(None), Link.c.ended_at.is_(None))
_used = Link.alias("used")
_was_confirmed = exists().where(
    _used.c.contact_id == Link.c.contact_id, _used.c.purpose == Purpose.VERIFY, _used.c.used_at.is_not(None)
)
"""Whether a registration of a link's address was confirmed, the link's own or another."""
_has_ended_registration = exists().where(
    Registration.c.id == Link.c.registration_id, Registration.c.ended_at.is_not(None)
)
_find = (
    select(
        Link.c.id,
        Link.c.contact_id,
        Link.c.registration_id,
        Link.c.email,
        Link.c.used_at,
        Link.c.ended_at,
        Link.c.expires_at,
        Contact.c.email.label("contact_email"),
        Contact.c.banned_at,
        Contact.c.banned_until,
        _was_confirmed.label("was_confirmed"),
        _has_ended_registration.label("has_ended_registration"),
    )
    .join(Contact, Contact.c.id == Link.c.contact_id)
    .where(Link.c.public_id == bindparam("public_id"), Link.c.purpose == bindparam("purpose"))
    .where(Contact.c.organisation_id == bindparam("organisation_id"))
)


def is_open(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Whether a link can be used now, as far as the link itself is concerned."""
    return and_(*_is_unended, Link.c.expires_at > now)


_insert = insert(Link).returning(Link.c.id)
_locking = select(Link.c.id).order_by(Link.c.id).with_for_update(key_share=True)
_unended = _locking.where(*_is_unended, Link.c.contact_id == bindparam("contact_id"))
_unended_of_contact = _unended.where(Link.c.purpose != Purpose.ADDRESS_UNDO)
_unended_of_purpose = _unended.where(Link.c.purpose == bindparam("purpose"))
_use = (
    update(Link)
    .where(Link.c.id == bindparam("link_id"), is_open(bindparam("now", type_=UtcDateTime())))
    .values(used_at=bindparam("now", type_=UtcDateTime()))
    .returning(Link.c.id)
)
_end_links = (
    update(Link)
    .where(Link.c.id.in_(bindparam("link_ids", expanding=True)))
    .values(ended_at=bindparam("now", type_=UtcDateTime()))
)


def issue(connection: Connection, link: NewLink, now: datetime) -> IssuedLink:
    """Store a new link."""
    public_id = random_id()
    link_id = connection.execute(
        _insert,
        {
            "public_id": public_id,
            "purpose": link.purpose,
            "contact_id": link.contact_id,
            "registration_id": link.registration_id,
            "email": link.email,
            "created_at": now,
            "expires_at": link.expires_at,
            "ended_at": None if link.usable else now,
            "code_tries": 0,
        },
    ).scalar_one()
    return IssuedLink(link_id, public_id)


def get_open_link(context: Context, visitor: Visitor, purpose: Purpose, token: str) -> OpenLink:
    """Return the unused link of a token.

    Raises Refused: NO_SUCH_LINK, LINK_ENDED (used or withdrawn), LINK_EXPIRED, and of a registration ALREADY_CONFIRMED
    or REGISTRATION_DROPPED; LinkUsed if this very link was used. A token that was never issued is counted on the
    visitor's network; above the rate limit Refused(TOO_MANY_LOGINS) is raised.
    """
    try:
        public_id = context.signer.public_id(purpose, token)
    except Refused:
        attempt(context, visitor, link_limits(context, visitor), EventKind.LINK_GUESS, Failure.TOO_MANY_LOGINS)
        raise
    return check_open(context, visitor, purpose, public_id)


def check_open(context: Context, visitor: Visitor, purpose: Purpose, public_id: str) -> OpenLink:
    """Return the unused link with a public id. Raises Refused as `get_open_link` does."""
    with context.database.read() as connection:
        row = connection.execute(
            _find, {"public_id": public_id, "purpose": purpose, "organisation_id": visitor.organisation_id}
        ).one_or_none()
    if row is None:
        raise Refused(Failure.NO_SUCH_LINK)
    link, now = OpenLink(row.id, public_id, purpose, row.contact_id, row.registration_id, row.email), context.clock()
    # A link that undoes a change of address is for the former address.
    is_addressed = purpose is Purpose.ADDRESS_UNDO or row.email == row.contact_email
    is_withdrawn = contacts.is_ban_in_force(row.banned_at, row.banned_until, now) or not is_addressed
    if row.used_at or row.ended_at or is_withdrawn:
        failure = Failure.LINK_ENDED if is_withdrawn else _why_ended(purpose, row)
        raise LinkUsed(failure, link, row.used_at) if row.used_at else Refused(failure)
    if now >= row.expires_at:
        raise Refused(Failure.LINK_EXPIRED)
    return link


def _why_ended(purpose: Purpose, row: Row[*tuple[Any, ...]]) -> Failure:
    if purpose is not Purpose.VERIFY:
        return Failure.LINK_ENDED
    if row.was_confirmed:
        return Failure.ALREADY_CONFIRMED
    return Failure.REGISTRATION_DROPPED if row.has_ended_registration else Failure.LINK_ENDED


def consume(connection: Connection, link: OpenLink, now: datetime) -> None:
    """Mark a link as used; of any number of parallel uses one succeeds.

    The others raise LinkUsed, or Refused (LINK_ENDED or LINK_EXPIRED). Runs in the caller's transaction, so that the
    link is used if and only if its effect is committed.
    """
    used = connection.execute(_use, {"link_id": link.id, "now": now}).one_or_none()
    if used is None:
        row = connection.execute(select(Link.c.used_at, Link.c.expires_at).where(Link.c.id == link.id)).first()
        if row is not None and row.used_at:
            is_confirmation = link.purpose is Purpose.VERIFY
            raise LinkUsed(Failure.ALREADY_CONFIRMED if is_confirmation else Failure.LINK_ENDED, link, row.used_at)
        raise Refused(Failure.LINK_EXPIRED if row is not None and row.expires_at <= now else Failure.LINK_ENDED)


def end_all(connection: Connection, contact_id: int, now: datetime, purpose: Purpose | None = None) -> None:
    """End every open link of a contact, or every one with a purpose.

    Links that undo a change of address stay open unless their purpose is given: an attacker who changed the address can
    change it, or the password, once more.
    """
    if purpose is None:
        found = connection.scalars(_unended_of_contact, {"contact_id": contact_id}).all()
    else:
        found = connection.scalars(_unended_of_purpose, {"contact_id": contact_id, "purpose": purpose}).all()
    _end(connection, found, now)


def end(connection: Connection, link_ids: Select[Any], now: datetime) -> None:
    """End those of the links of a query that are open."""
    _end(connection, lock_links(connection, *_is_unended, Link.c.id.in_(link_ids)), now)


def _end(connection: Connection, link_ids: Sequence[int], now: datetime) -> None:
    if link_ids:
        connection.execute(_end_links, {"link_ids": link_ids, "now": now})


def lock_links(connection: Connection, *conditions: ColumnElement[bool]) -> list[int]:
    """Lock the links that match, always in the order of their ids to prevent deadlocks; return the ids."""
    return list(connection.scalars(_locking.where(*conditions)))
