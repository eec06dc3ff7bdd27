"""Name a passkey."""

from portal.domain import passkeys
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.identities import Customer
from portal.storage.database import retried


@retried
def rename_passkey(context: Context, visitor: Visitor, customer: Customer, passkey_id: int, name: str) -> bool:
    """Name one of the customer's passkeys; return whether there is one with this id."""
    with context.database.write() as connection:
        if not passkeys.rename(connection, customer.id, passkey_id, name):
            return False
        record(connection, visitor, EventKind.PASSKEY_RENAME, contact_id=customer.id, now=context.clock())
    return True
