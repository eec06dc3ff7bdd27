"""A new password by somebody who is signed in."""

from portal.domain import accounts, contacts, devices, identities
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.context import Context, Visitor
from portal.domain.current_password import check_current_password, wrong_current_password
from portal.domain.identities import Customer
from portal.domain.password_reuse import hash_new_password
from portal.storage.database import retried

_FIELD = "current_password"


@retried
def change_password(
    context: Context, visitor: Visitor, customer: Customer, current_password: str, password: str, *, remember: bool
) -> str:
    """Change the password of a customer who knows the current one; returns a new identity in place of the one in use.

    Every identity ends, the one in use too, and so do open links; a notice goes out. A wrong current password counts
    as a failed login in the same browser does, on the same counters. Two hashes are computed: the current password's
    and the new one's, compared with all former ones. Raises Refused (WRONG_PASSWORD, TOO_MANY_LOGINS, PASSWORD_REFUSED,
    PASSWORD_REUSED) and Busy.
    """
    contact, device = check_current_password(
        context, visitor, customer, current_password, EventKind.PASSWORD_CHANGE, field=_FIELD
    )
    password_hash = hash_new_password(context, visitor, contact, password, EventKind.PASSWORD_CHANGE)
    now = context.clock()
    refusals = refusals_recorded(context, visitor, EventKind.PASSWORD_CHANGE, contact.id)
    with refusals, context.database.write() as connection:
        current = contacts.lock(connection, contact.id)
        if current is None or current.banned_at or current.password_hash != contact.password_hash:
            raise wrong_current_password(_FIELD)
        accounts.change_password(connection, context, visitor, current, password_hash, now)
        devices.forget_wrong_passwords(connection, device, contact.id)
        record(connection, visitor, EventKind.PASSWORD_CHANGE, contact_id=contact.id, now=now)
        return identities.start(
            connection, context.rules, visitor, contact_id=contact.id, remember=remember, now=now, is_proof=True
        )
