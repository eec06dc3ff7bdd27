"""Turn two-step verification off."""

from portal.domain import identities, second_step
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.identities import Customer
from portal.domain.notices import notify
from portal.domain.outbox import Notice
from portal.domain.recent_authentication import require_recent_authentication
from portal.storage.database import retried


@retried
def turn_off_two_step(context: Context, visitor: Visitor, customer: Customer) -> None:
    """Delete the second step and its recovery codes, end trust in browsers, and queue the notice.

    Raises NotRecentlyAuthenticated and SessionEnded.
    """
    require_recent_authentication(context, customer)
    with context.database.write() as connection:
        contact = identities.lock_signed_in(connection, customer)
        if second_step.turn_off(connection, contact.id):
            now = context.clock()
            record(connection, visitor, EventKind.TWO_STEP_OFF, contact_id=contact.id, now=now)
            notify(connection, context, visitor, contact, Notice.TWO_STEP_OFF)
