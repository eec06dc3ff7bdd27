"""Ban a customer, and lift a ban."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from portal.domain import contacts, one_time_links, sign_ins, sign_outs
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.notices import notify
from portal.domain.operations.customers import CustomerSelector, lock_credentials
from portal.domain.outbox import Notice
from portal.domain.pending_registrations import make_decoys
from portal.storage.database import retried
from portal.storage.models import Contact


@retried
def ban(
    context: Context, organisation_id: int, selector: CustomerSelector, reason: str, duration: timedelta | None = None
) -> datetime | None:
    """Ban a customer: refuse every sign-in and end all identities, links and registrations; return the ban's end.

    In one transaction, so that no identity outlives the ban. Without a duration the ban lasts until it is lifted. A
    customer who is banned already gets the new reason and the new end. Tells the customer by email, but for the reason.
    Raises UnknownCustomer.
    """
    now = context.clock()
    until = now + duration if duration else None
    with context.database.write() as connection:
        contact = lock_credentials(connection, organisation_id, selector)
        was_banned = contact.is_banned(now)
        banned = update(Contact).where(Contact.c.id == contact.id)
        banned_at = contact.banned_at if was_banned else now
        connection.execute(banned.values(banned_at=banned_at, banned_until=until, ban_reason=reason))
        sign_outs.end_all(connection, contact.id, now)
        sign_ins.end_pending(connection, contact.id)
        one_time_links.end_all(connection, contact.id, now)
        make_decoys(connection, contact.id)
        operator = Visitor.operator(organisation_id)
        record(connection, operator, EventKind.BAN, contact_id=contact.id, now=now)
        if not was_banned or until != contact.banned_until:
            details = {"until": until.isoformat()} if until else None
            _notify(connection, context, operator, contact, Notice.BANNED, details)
    return until


@retried
def unban(context: Context, organisation_id: int, selector: CustomerSelector) -> bool:
    """Lift a ban and tell the customer by email; what it ended stays ended. Return False if there was no ban.

    Raises UnknownCustomer.
    """
    now = context.clock()
    with context.database.write() as connection:
        contact = lock_credentials(connection, organisation_id, selector)
        if contact.banned_at is None:
            return False
        _lift(connection, context, organisation_id, contact, now)
    return True


def lift_expired_bans(context: Context, now: datetime) -> int:
    """Lift the bans whose end has passed; return their number. Each is one transaction."""
    expired = select(Contact.c.id, Contact.c.organisation_id).where(Contact.c.banned_until <= now)
    with context.database.read() as connection:
        found = connection.execute(expired).all()
    return sum(_lift_if_expired(context, row.id, row.organisation_id, now) for row in found)


@retried
def _lift_if_expired(context: Context, contact_id: int, organisation_id: int, now: datetime) -> bool:
    with context.database.write() as connection:
        # Another worker may have lifted it meanwhile, or the operator prolonged it.
        contact = contacts.lock_even_closed(connection, contact_id)
        if contact is None or contact.banned_at is None or contact.is_banned(now):
            return False
        _lift(connection, context, organisation_id, contact, now)
    return True


def _lift(
    connection: Connection, context: Context, organisation_id: int, contact: ContactCredentials, now: datetime
) -> None:
    lifted = update(Contact).where(Contact.c.id == contact.id)
    connection.execute(lifted.values(banned_at=None, banned_until=None, ban_reason=None))
    operator = Visitor.operator(organisation_id)
    record(connection, operator, EventKind.UNBAN, contact_id=contact.id, now=now)
    _notify(connection, context, operator, contact, Notice.UNBANNED)


def _notify(
    connection: Connection,
    context: Context,
    operator: Visitor,
    contact: ContactCredentials,
    notice: Notice,
    details: Mapping[str, str] | None = None,
) -> None:
    # The owner of an address that was only typed into a registration has no account here.
    if contact.confirmed_at is not None:
        notify(connection, context, operator, contact, notice, details=details)
