"""Give customers a copy of their data."""

from portal.domain import contacts
from portal.domain.audit_log import EventKind, record
from portal.domain.contact_details import CustomerDeleted
from portal.domain.context import Context, Visitor
from portal.domain.customer_data import export_customer
from portal.domain.identities import Customer
from portal.domain.recent_authentication import require_recent_authentication
from portal.storage.database import retried


@retried
def export_account(context: Context, visitor: Visitor, customer: Customer) -> dict[str, object]:
    """Return all data of a signed-in customer, as `export_customer` does.

    Raises NotRecentlyAuthenticated, and CustomerDeleted if the account was closed or deleted meanwhile.
    """
    require_recent_authentication(context, customer)
    with context.database.write() as connection:
        if contacts.lock(connection, customer.id) is None:
            raise CustomerDeleted
        record(connection, visitor, EventKind.EXPORT, contact_id=customer.id, now=context.clock())
        return export_customer(connection, customer.id)
