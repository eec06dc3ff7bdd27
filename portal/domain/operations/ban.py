"""Ban a customer, and lift a ban."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from portal.domain import contacts, identities, one_time_links
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.operations.customers import CustomerSelector, UnknownCustomer, lock_customer
from portal.domain.pending_registrations import make_decoys
from portal.storage.database import retried
from portal.storage.models import Contact


@retried
def ban(
    context: Context, organisation_id: int, selector: CustomerSelector, reason: str, duration: timedelta | None = None
) -> datetime | None:
    """Ban a customer: refuse every sign-in and end all identities, links and registrations; return the ban's end.

    In one transaction, so that no identity outlives the ban. Without a duration the ban lasts until it is lifted. A
    customer who is banned already gets the new reason and the new end. Raises UnknownCustomer.
    """
    now = context.clock()
    until = now + duration if duration else None
    with context.database.write() as connection:
        contact = _lock(connection, organisation_id, selector)
        connection.execute(
            update(Contact)
            .where(Contact.id == contact.id)
            .values(
                banned_at=contact.banned_at if contact.is_banned(now) else now, banned_until=until, ban_reason=reason
            )
        )
        identities.end_all(connection, contact.id, now)
        one_time_links.end_all(connection, contact.id, now)
        make_decoys(connection, contact.id)
        record(connection, Visitor.operator(organisation_id), EventKind.BAN, contact_id=contact.id, now=now)
    return until


@retried
def unban(context: Context, organisation_id: int, selector: CustomerSelector) -> bool:
    """Lift a ban; what it ended stays ended. Return False if there was no ban. Raises UnknownCustomer."""
    now = context.clock()
    with context.database.write() as connection:
        contact = _lock(connection, organisation_id, selector)
        if contact.banned_at is None:
            return False
        _lift(connection, organisation_id, contact, now)
    return True


def lift_expired_bans(context: Context, now: datetime) -> int:
    """Lift the bans whose end has passed; return their number. Each is one transaction."""
    expired = select(Contact.id, Contact.organisation_id).where(Contact.banned_until <= now)
    with context.database.read() as connection:
        found = connection.execute(expired).all()
    return sum(_lift_if_expired(context, contact_id, organisation_id, now) for contact_id, organisation_id in found)


@retried
def _lift_if_expired(context: Context, contact_id: int, organisation_id: int, now: datetime) -> bool:
    with context.database.write() as connection:
        # Another worker may have lifted it meanwhile, or the operator prolonged it.
        contact = contacts.lock(connection, contact_id)
        if contact is None or contact.banned_at is None or contact.is_banned(now):
            return False
        _lift(connection, organisation_id, contact, now)
    return True


def _lock(connection: Connection, organisation_id: int, selector: CustomerSelector) -> ContactCredentials:
    contact = contacts.find_by_id(connection, lock_customer(connection, organisation_id, selector))
    if contact is None:
        raise UnknownCustomer(selector)
    return contact


def _lift(connection: Connection, organisation_id: int, contact: ContactCredentials, now: datetime) -> None:
    lifted = update(Contact).where(Contact.id == contact.id)
    connection.execute(lifted.values(banned_at=None, banned_until=None, ban_reason=None))
    record(connection, Visitor.operator(organisation_id), EventKind.UNBAN, contact_id=contact.id, now=now)
