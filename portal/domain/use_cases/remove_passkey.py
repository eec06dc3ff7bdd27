"""Remove a passkey from the account."""

from portal.domain import identities, passkeys, sign_ins
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.identities import Customer
from portal.domain.notices import notify
from portal.domain.outbox import Notice
from portal.domain.passkeys import Passkey
from portal.domain.recent_authentication import require_recent_authentication
from portal.storage.database import retried


@retried
def remove_passkey(context: Context, visitor: Visitor, customer: Customer, passkey_id: int) -> Passkey | None:
    """Delete one of the customer's passkeys and queue the notice; return it, or None if there is none with this id.

    Sign-ins that wait for their second step end, because one of them may have begun with it. Raises
    NotRecentlyAuthenticated and SessionEnded.
    """
    require_recent_authentication(context, customer)
    now = context.clock()
    with context.database.write() as connection:
        contact = identities.lock_signed_in(connection, customer)
        removed = passkeys.remove(connection, contact.id, passkey_id)
        if removed is not None:
            sign_ins.end_pending(connection, contact.id)
            record(connection, visitor, EventKind.PASSKEY_REMOVE, contact_id=contact.id, now=now)
            notify(connection, context, visitor, contact, Notice.PASSKEY_REMOVED, {"provider": removed.provider})
    return removed
