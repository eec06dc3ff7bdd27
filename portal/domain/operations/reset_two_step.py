"""Turn two-step verification off for a customer who has lost the app and the recovery codes."""

from portal.domain import contacts, second_step
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.notices import notify
from portal.domain.operations.customers import CustomerSelector, lock_customer
from portal.domain.outbox import Notice
from portal.storage.database import retried


@retried
def reset_two_step(context: Context, organisation_id: int, selector: CustomerSelector, reason: str) -> bool:
    """Delete the second step and recovery codes, end trust in browsers, and tell the customer the reason by email.

    Return False if there was no second step. Raises UnknownCustomer.
    """
    operator, now = Visitor.operator(organisation_id, reason), context.clock()
    with context.database.write() as connection:
        contact_id = lock_customer(connection, organisation_id, selector)
        if not second_step.turn_off(connection, contact_id):
            return False
        record(connection, operator, EventKind.TWO_STEP_RESET, contact_id=contact_id, now=now)
        if (contact := contacts.find_by_id(connection, contact_id)) is not None:
            notify(connection, context, operator, contact, Notice.TWO_STEP_RESET, {"reason": reason})
    return True
