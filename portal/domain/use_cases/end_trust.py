"""Ask for the second step in every browser again."""

from portal.domain import trusted_browsers
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.identities import Customer
from portal.storage.database import retried


@retried
def end_trust(context: Context, visitor: Visitor, customer: Customer) -> None:
    """End the trust in all browsers of a customer, this one too."""
    with context.database.write() as connection:
        if trusted_browsers.end_all(connection, customer.id):
            record(connection, visitor, EventKind.TRUST_END, contact_id=customer.id, now=context.clock())
