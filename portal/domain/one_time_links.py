"""One-time links: issue, look at, consume.

The row holds purpose, address, expiry and use, so that single use is one UPDATE; the token is made of it when the
mail is sent (tokens.py), so that neither the database nor the outbox holds anything that opens an account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, exists, insert, select, update
from sqlalchemy.orm import aliased

from portal.domain import contacts
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.rate_limits import attempt, link_limits
from portal.domain.tokens import Purpose, random_id
from portal.domain.values.text import without_separators
from portal.storage.database import retried
from portal.storage.models import Contact, Link, Registration

CODE_TRIES = 5
REDEMPTIONS = {
    Purpose.VERIFY: EventKind.CONFIRM,
    Purpose.RESET: EventKind.RESET,
    Purpose.SIGN_IN: EventKind.SIGN_IN_BY_EMAIL,
    Purpose.REAUTHENTICATE: EventKind.REAUTHENTICATION,
}
"""The event that using a link, or the code beside it, is recorded as."""


@dataclass(frozen=True)
class IssuedLink:
    """A link that was just stored; the browser that asked for it remembers the public id, to type the code."""

    id: int
    public_id: str


@dataclass(frozen=True)
class OpenLink:
    """A link that could be used now."""

    id: int
    public_id: str
    purpose: Purpose
    contact_id: int
    registration_id: int | None
    email: str


_used = aliased(Link)
_was_dropped = exists().where(
    Registration.id == Link.registration_id,
    Registration.ended_at.is_not(None),
    ~exists().where(
        _used.contact_id == Registration.contact_id, _used.purpose == Purpose.VERIFY, _used.used_at.is_not(None)
    ),
)
"""Whether a link belongs to a registration that ended, and no registration of its address was confirmed."""
_find = (
    select(
        Link.id,
        Link.contact_id,
        Link.registration_id,
        Link.email,
        Link.used_at,
        Link.ended_at,
        Link.expires_at,
        Contact.email.label("contact_email"),
        Contact.banned_at,
        _was_dropped.label("was_dropped"),
    )
    .join(Contact, Contact.id == Link.contact_id)
    .where(Link.public_id == bindparam("public_id"), Link.purpose == bindparam("purpose"))
    .where(Contact.organisation_id == bindparam("organisation_id"))
)


def issue(
    connection: Connection,
    purpose: Purpose,
    *,
    contact_id: int | None,
    email: str | None,
    now: datetime,
    expires_at: datetime,
    registration_id: int | None = None,
    usable: bool = True,
) -> IssuedLink:
    """Store a new link. An unusable one is born ended: it only makes the work the same."""
    public_id = random_id()
    link_id = connection.execute(
        insert(Link).returning(Link.id),
        {
            "public_id": public_id,
            "purpose": purpose,
            "contact_id": contact_id,
            "registration_id": registration_id,
            "email": email,
            "created_at": now,
            "expires_at": expires_at,
            "ended_at": None if usable else now,
            "code_tries": 0,
        },
    ).scalar_one()
    return IssuedLink(link_id, public_id)


def get_open_link(context: Context, visitor: Visitor, purpose: Purpose, token: str) -> OpenLink:
    """The link of a token, unused.

    Raises Refused: NO_SUCH_LINK, LINK_ENDED (used or withdrawn), REGISTRATION_DROPPED or LINK_EXPIRED.

    Tokens that were never issued count against the visitor's network, and past its limit are TOO_MANY_LOGINS.
    """
    try:
        public_id = context.signer.public_id(purpose, token)
    except Refused:
        attempt(context, visitor, link_limits(context, visitor), EventKind.LINK_GUESS, Failure.TOO_MANY_LOGINS)
        raise
    return _open(context, visitor, purpose, public_id)


def _open(context: Context, visitor: Visitor, purpose: Purpose, public_id: str) -> OpenLink:
    with context.database.read() as connection:
        row = connection.execute(
            _find, {"public_id": public_id, "purpose": purpose, "organisation_id": visitor.organisation_id}
        ).one_or_none()
    if row is None:
        raise Refused(Failure.NO_SUCH_LINK)
    if row.used_at or row.ended_at or row.banned_at or row.email != row.contact_email:
        dropped = row.was_dropped and not row.banned_at
        raise Refused(Failure.REGISTRATION_DROPPED if dropped else Failure.LINK_ENDED)
    if context.clock() >= row.expires_at:
        raise Refused(Failure.LINK_EXPIRED)
    return OpenLink(row.id, public_id, purpose, row.contact_id, row.registration_id, row.email)


@retried
def get_open_link_by_code(
    context: Context, visitor: Visitor, purpose: Purpose, public_ids: Sequence[str], code: str
) -> OpenLink:
    """The link whose code this is, of those that this browser asked for.

    Raises Refused: WRONG_CODE, CODE_ENDED, or for the right code of a registration that was dropped
    REGISTRATION_DROPPED.

    The try is counted on each of them whatever was typed, and however many come at once: after five a code is dead; its
    link stays good. It is counted on their contacts too, once on each: after 100 in a row that were wrong even the
    right code is answered as a wrong one, until the mailbox is proven by a link. What is refused is recorded, a wrong
    code with the count; of a dead code the first try only, so that a flood of tries is not a flood of rows. Links that
    lead to nothing are counted and answered alike.
    """
    now = context.clock()
    digits = without_separators(code)
    with context.database.write() as connection:
        # Before the links, in the order of everything that proves a mailbox: else each could wait for the other.
        owners = _lock_owners(connection, visitor, purpose, public_ids)
        tried = _count_try(connection, purpose, public_ids)
        alive = [row for row in tried if row.code_tries <= CODE_TRIES and row.expires_at > now]
        admitted = contacts.count_code(connection, owners.intersection(row.contact_id for row in alive))
        matching = [row for row in alive if context.signer.is_code(purpose, row.public_id, digits)]
        matching = [row for row in matching if row.contact_id in admitted]
        ended = all(row.code_tries >= CODE_TRIES for row in alive)
        failure = Failure.CODE_ENDED if ended else Failure.WRONG_CODE
        concerned = owners.intersection(row.contact_id for row in matching or tried)
        contact_id = concerned.pop() if len(concerned) == 1 else None
        if tried and not matching:
            record(connection, visitor, REDEMPTIONS[purpose], contact_id=contact_id, now=now, refusal=failure)
    if not matching:
        raise Refused(failure, field="code")
    try:
        with refusals_recorded(context, visitor, REDEMPTIONS[purpose], contact_id):
            return _open(context, visitor, purpose, matching[0].public_id)
    except Refused as refusal:
        if refusal.failure is Failure.REGISTRATION_DROPPED:
            raise
        raise Refused(Failure.CODE_ENDED, field="code") from None


def _lock_owners(connection: Connection, visitor: Visitor, purpose: Purpose, public_ids: Sequence[str]) -> set[int]:
    """The contacts of the visitor's organisation that links belong to, held until the transaction ends."""
    rows = (
        select(Contact.id)
        .join(Link, Link.contact_id == Contact.id)
        .where(Link.public_id.in_(public_ids), Link.purpose == purpose)
        .where(Contact.organisation_id == visitor.organisation_id)
        .order_by(Contact.id)
        .with_for_update(of=Contact, key_share=True)
    )
    return set(connection.scalars(rows))


def _count_try(connection: Connection, purpose: Purpose, public_ids: Sequence[str]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Count a try on the code of each link; returns those whose code was not dead before."""
    found = _held(connection, Link.public_id.in_(public_ids), Link.purpose == purpose)
    return connection.execute(
        update(Link)
        .where(Link.id.in_(found), Link.code_tries <= CODE_TRIES)
        .values(code_tries=Link.code_tries + 1)
        .returning(Link.public_id, Link.contact_id, Link.code_tries, Link.expires_at)
    ).all()


def consume(connection: Connection, link: OpenLink, now: datetime) -> None:
    """Use a link up: of any number of parallel users one succeeds, the others get Refused(LINK_ENDED or LINK_EXPIRED).

    In the caller's transaction, so that a link is used if and only if what it was used for has happened.
    """
    used = connection.execute(
        update(Link)
        .where(Link.id == link.id, Link.used_at.is_(None), Link.ended_at.is_(None), Link.expires_at > now)
        .values(used_at=now)
        .returning(Link.id)
    ).one_or_none()
    if used is None:
        expired = connection.execute(select(Link.id).where(Link.id == link.id, Link.expires_at <= now)).one_or_none()
        raise Refused(Failure.LINK_EXPIRED if expired else Failure.LINK_ENDED)


def end_all(connection: Connection, contact_id: int, now: datetime, purpose: Purpose | None = None) -> None:
    """Withdraw every open link of a contact, or every one of a purpose."""
    conditions = [Link.contact_id == contact_id, Link.used_at.is_(None), Link.ended_at.is_(None)]
    if purpose is not None:
        conditions.append(Link.purpose == purpose)
    if found := _held(connection, *conditions):
        connection.execute(update(Link).where(Link.id.in_(found)).values(ended_at=now))


def _held(connection: Connection, *conditions: ColumnElement[bool]) -> list[int]:
    """The links that conditions hold for, held until the transaction ends: by everybody in one order, lest two wait for
    each other.
    """
    rows = select(Link.id).where(*conditions).order_by(Link.id).with_for_update(key_share=True)
    return list(connection.scalars(rows))
