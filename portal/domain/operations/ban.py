"""Ban a customer, and lift a ban."""

from sqlalchemy import func, update

from portal.domain import identities, one_time_links, sign_ins
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.operations.customers import CustomerSelector, lock_customer
from portal.domain.pending_registrations import make_decoys
from portal.storage.database import retried
from portal.storage.models import Contact


@retried
def ban(context: Context, organisation_id: int, selector: CustomerSelector, reason: str) -> None:
    """Ban a customer: refuse every sign-in and end all identities, links and registrations.

    In one transaction, so that no identity outlives the ban. A customer who is banned already gets the new reason.
    Raises UnknownCustomer.
    """
    now = context.clock()
    with context.database.write() as connection:
        contact_id = lock_customer(connection, organisation_id, selector)
        connection.execute(
            update(Contact)
            .where(Contact.id == contact_id)
            .values(banned_at=func.coalesce(Contact.banned_at, now), ban_reason=reason)
        )
        identities.end_all(connection, contact_id, now)
        sign_ins.end_pending(connection, contact_id)
        one_time_links.end_all(connection, contact_id, now)
        make_decoys(connection, contact_id)
        record(connection, Visitor.operator(organisation_id), EventKind.BAN, contact_id=contact_id, now=now)


@retried
def unban(context: Context, organisation_id: int, selector: CustomerSelector) -> bool:
    """Lift a ban; what it ended stays ended. Return False if there was no ban. Raises UnknownCustomer."""
    now = context.clock()
    with context.database.write() as connection:
        contact_id = lock_customer(connection, organisation_id, selector)
        banned = update(Contact).where(Contact.id == contact_id, Contact.banned_at.is_not(None))
        if connection.execute(banned.values(banned_at=None, ban_reason=None)).rowcount == 0:
            return False
        record(connection, Visitor.operator(organisation_id), EventKind.UNBAN, contact_id=contact_id, now=now)
    return True
