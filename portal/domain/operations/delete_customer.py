"""Delete a customer at the request of the operator."""

from portal.domain.context import Context
from portal.domain.erasure import erase
from portal.domain.operations.customers import CustomerSelector, lock_customer
from portal.storage.database import retried


@retried
def delete_customer(context: Context, organisation_id: int, selector: CustomerSelector) -> dict[str, int]:
    """Erase a customer at once; return the number of deleted rows by kind. Raises UnknownCustomer.

    Requests of others for the customer's address, which cannot be confirmed, are deleted too.

    Sent emails, logs, backups, and the counters of rate limits (until they expire) are not deleted.
    """
    with context.database.write() as connection:
        deleted = erase(connection, context, lock_customer(connection, organisation_id, selector))
    context.database.scrub()
    return deleted
