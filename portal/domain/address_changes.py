"""Changes of customers' email addresses: those requested, and those that the former address can still undo.

As long as a change can be undone, its former address is reserved for its customer: no other customer can register it,
change to it or be given it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from portal.domain import one_time_links
from portal.domain.contacts import LOCKING_FAILURES, ContactCredentials
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer
from portal.domain.messages import N_
from portal.domain.one_time_links import OpenLink
from portal.domain.pending_registrations import end_open_registrations
from portal.domain.values.email import Address
from portal.storage.models import AddressChange, Contact, Identity, Link, UtcDateTime

_MAX_CODES = 3
"""Requests of one session whose codes are accepted: the newest."""
_TAKEN = N_("This email address now belongs to another account. Nothing was changed.")


@dataclass(frozen=True)
class PendingChange:
    """A change that is requested and not confirmed."""

    email: str
    """The new address."""
    requested_here: bool
    """Whether it was requested in the customer's present session, in which its code can be entered."""


@dataclass(frozen=True)
class StoredChange:
    """A change, requested or made."""

    id: int
    old: Address
    new: Address
    requested_at: datetime


_reserved = (
    select(AddressChange.c.old_email_key)
    .join(Contact, Contact.c.id == AddressChange.c.contact_id)
    .join(Link, Link.c.id == AddressChange.c.undo_link_id)
    .where(Contact.c.organisation_id == bindparam("organisation_id"))
    .where(one_time_links.is_open(bindparam("now", type_=UtcDateTime())))
)
_is_reserved_for_another = _reserved.where(
    AddressChange.c.old_email_key == bindparam("key"), AddressChange.c.contact_id != bindparam("contact_id")
).limit(1)
_reserved_of = _reserved.where(AddressChange.c.old_email_key.in_(bindparam("keys", expanding=True)))

_pending = (
    select(AddressChange.c.new_email, AddressChange.c.identity_id, Link.c.public_id)
    .join(Link, Link.c.id == AddressChange.c.link_id)
    .where(AddressChange.c.contact_id == bindparam("contact_id"))
    .where(one_time_links.is_open(bindparam("now", type_=UtcDateTime())))
    .order_by(AddressChange.c.id.desc())
)
LAST_PENDING = _pending.limit(1)
"""Selects the change that a customer, `contact_id`, requested last and has not confirmed `now`."""
_any, _link_of_any = AddressChange.alias("any_change"), Link.alias("link_of_any")
_codes_tried = (
    select(func.sum(_link_of_any.c.code_tries))
    .join(_any, _any.c.link_id == _link_of_any.c.id)
    .join(Contact, Contact.c.id == _any.c.contact_id)
    .where(
        Contact.c.organisation_id == bindparam("organisation_id"), _any.c.new_email_key == AddressChange.c.new_email_key
    )
    .correlate(AddressChange)
    .scalar_subquery()
)
"""The number of codes that all customers have tried for a new address, as long as their links are stored."""
_of_session = (
    _pending.where(AddressChange.c.identity_id == bindparam("identity_id"))
    .where(_codes_tried < LOCKING_FAILURES)
    .limit(_MAX_CODES)
)


def is_reserved_for_another(
    connection: Connection, organisation_id: int, key: str, contact_id: int, now: datetime
) -> bool:
    """Return whether an address is reserved for another customer than this contact.

    Call it after the contact has got the address, in the same transaction: otherwise a change that frees the address at
    the same moment is not seen.
    """
    parameters = {"organisation_id": organisation_id, "key": key, "contact_id": contact_id, "now": now}
    return connection.execute(_is_reserved_for_another, parameters).one_or_none() is not None


def reserved_addresses(connection: Connection, organisation_id: int, keys: list[str], now: datetime) -> set[str]:
    """Return which of some addresses, by their keys, are reserved for customers."""
    return set(connection.scalars(_reserved_of, {"organisation_id": organisation_id, "keys": keys, "now": now}))


def undo_until(connection: Connection, contact_id: int, now: datetime) -> datetime | None:
    """Return when the last change of a contact that can still be undone no longer can be; None if there is none."""
    undo_until = (
        select(func.max(Link.c.expires_at))
        .join(AddressChange, AddressChange.c.undo_link_id == Link.c.id)
        .where(AddressChange.c.contact_id == contact_id, one_time_links.is_open(now))
    )
    return connection.execute(undo_until).scalar_one()


def find_pending(connection: Connection, customer: Customer, now: datetime) -> PendingChange | None:
    """Return the change that a customer requested last and has not confirmed."""
    row = connection.execute(LAST_PENDING, {"contact_id": customer.id, "now": now}).one_or_none()
    return row and PendingChange(row.new_email, requested_here=row.identity_id == customer.identity_id)


def links_of_session(connection: Connection, customer: Customer, now: datetime) -> list[str]:
    """Return the public ids of the links whose codes can be entered in the customer's present session.

    None for an address with LOCKING_FAILURES tried codes. The counter of the contact (lockout.py) is not enough: an
    attacker who asks for the address of another person resets it with their own mailbox. The link still works.
    """
    parameters = {
        "contact_id": customer.id,
        "organisation_id": customer.organisation_id,
        "identity_id": customer.identity_id,
        "now": now,
    }
    return [row.public_id for row in connection.execute(_of_session, parameters)]


def was_made_in_session(connection: Connection, customer: Customer) -> bool:
    """Return whether a change that was requested in the customer's present session was confirmed."""
    made = select(AddressChange.c.id).where(
        AddressChange.c.identity_id == customer.identity_id, AddressChange.c.changed_at.is_not(None)
    )
    return connection.execute(made.limit(1)).one_or_none() is not None


def store(connection: Connection, link_id: int, customer: Customer, old: Address, new: Address, now: datetime) -> None:
    """Store a request. Earlier ones stay open until one is confirmed or the customer cancels them."""
    connection.execute(
        insert(AddressChange),
        {
            "contact_id": customer.id,
            "identity_id": customer.identity_id,
            "link_id": link_id,
            "old_email": old.email,
            "old_email_key": old.key,
            "new_email": new.email,
            "new_email_key": new.key,
            "requested_at": now,
        },
    )


def end_requests_of_ended_sessions(connection: Connection, contact_id: int, now: datetime) -> None:
    """End the requests made in the sessions of a contact that have ended at this moment."""
    requests = (
        select(AddressChange.c.link_id)
        .join(Identity, Identity.c.id == AddressChange.c.identity_id)
        .where(AddressChange.c.contact_id == contact_id, Identity.c.ended_at == now)
    )
    one_time_links.end(connection, requests, now)


def get_by_link(connection: Connection, link: OpenLink) -> StoredChange:
    """Return the change that a link confirms or undoes. Raises Refused(NO_SUCH_LINK) if the customer was deleted."""
    row = connection.execute(
        select(AddressChange).where(or_(AddressChange.c.link_id == link.id, AddressChange.c.undo_link_id == link.id))
    ).one_or_none()
    if row is None:
        raise Refused(Failure.NO_SUCH_LINK)
    return StoredChange(
        id=row.id,
        old=Address(row.old_email, row.old_email_key),
        new=Address(row.new_email, row.new_email_key),
        requested_at=row.requested_at,
    )


def mark_made(connection: Connection, change: StoredChange, undo_link_id: int, now: datetime) -> None:
    """Store that a change was made, and the link that undoes it."""
    made = update(AddressChange).where(AddressChange.c.id == change.id)
    connection.execute(made.values(undo_link_id=undo_link_id, changed_at=now))


def end_later(connection: Connection, contact_id: int, change: StoredChange, now: datetime) -> None:
    """End the links that undo later changes of a contact; their former addresses are not reserved any more."""
    later = select(AddressChange.c.undo_link_id).where(
        AddressChange.c.contact_id == contact_id, AddressChange.c.id > change.id
    )
    one_time_links.end(connection, later, now)


def give_address(
    connection: Connection, organisation_id: int, contact: ContactCredentials, address: Address, now: datetime
) -> None:
    """Give a contact another address.

    A contact that is known from unconfirmed registrations only loses the address, and its registrations end: they have
    not proven the mailbox. Raises Refused(ALREADY_REGISTERED) if another customer has the address, or if it is reserved
    for one.
    """
    released = (
        update(Contact)
        .where(
            Contact.c.organisation_id == organisation_id, Contact.c.email_key == address.key, Contact.c.id != contact.id
        )
        .where(Contact.c.confirmed_at.is_(None), Contact.c.banned_at.is_(None))
        .values(email=None, email_key=None)
        .returning(Contact.c.id)
    )
    for released_id in connection.scalars(released).all():
        end_open_registrations(connection, released_id, now)
    try:
        connection.execute(
            update(Contact).where(Contact.c.id == contact.id).values(email=address.email, email_key=address.key)
        )
    except IntegrityError:
        raise Refused(Failure.ALREADY_REGISTERED, detail=_TAKEN) from None
    if is_reserved_for_another(connection, organisation_id, address.key, contact.id, now):
        raise Refused(Failure.ALREADY_REGISTERED, detail=_TAKEN)
