"""Sign a customer out everywhere."""

from portal.domain import identities
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.operations.customers import CustomerSelector, count_live_identities, lock_customer
from portal.storage.database import retried


@retried
def end_sessions(context: Context, organisation_id: int, whom: CustomerSelector) -> int:
    """End every session of a customer, those at a shop's server too; return how many there were.

    Raises UnknownCustomer.
    """
    now = context.clock()
    with context.database.write() as connection:
        contact_id = lock_customer(connection, organisation_id, whom)
        count = count_live_identities(connection, context.rules, contact_id, now)
        identities.end_all(connection, contact_id, now)
        if count:
            operator = Visitor.operator(organisation_id)
            record(connection, operator, EventKind.SESSIONS_END_ALL, contact_id=contact_id, now=now)
    return count
