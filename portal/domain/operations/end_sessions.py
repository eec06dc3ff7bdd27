"""Sign a customer out everywhere."""

from portal.domain import address_changes, sign_outs
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.notices import notify
from portal.domain.operations.customers import CustomerSelector, count_live_identities, lock_credentials
from portal.domain.outbox import Notice
from portal.storage.database import retried


@retried
def end_sessions(context: Context, organisation_id: int, whom: CustomerSelector) -> int:
    """End every session of a customer, those at a shop's server too; return how many there were.

    Changes of address that were requested in them end too. The customer is told by email if there was any. Raises
    UnknownCustomer.
    """
    now = context.clock()
    with context.database.write() as connection:
        contact = lock_credentials(connection, organisation_id, whom)
        count = count_live_identities(connection, context.rules, contact.id, now)
        sign_outs.end_all(connection, contact.id, now)
        address_changes.end_requests_of_ended_sessions(connection, contact.id, now)
        if count:
            operator = Visitor.operator(organisation_id)
            record(connection, operator, EventKind.SESSIONS_END_ALL, contact_id=contact.id, now=now)
            notify(connection, context, operator, contact, Notice.ALL_SESSIONS_ENDED)
    return count
