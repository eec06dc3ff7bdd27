"""Make a new set of recovery codes."""

from portal.domain import identities, recovery_codes, second_step
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.identities import Customer
from portal.domain.recent_authentication import require_recent_authentication
from portal.storage.database import retried


@retried
def renew_recovery_codes(context: Context, visitor: Visitor, customer: Customer) -> list[str]:
    """Return new recovery codes, which end the old ones; none for a customer without a second step.

    Raises NotRecentlyAuthenticated and SessionEnded.
    """
    require_recent_authentication(context, customer)
    now = context.clock()
    with context.database.write() as connection:
        contact = identities.lock_signed_in(connection, customer)
        if not second_step.is_on(connection, contact.id):
            return []
        record(connection, visitor, EventKind.RECOVERY_CODES, contact_id=contact.id, now=now)
        return recovery_codes.replace_all(connection, contact.id, now)
