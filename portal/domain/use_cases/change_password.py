"""A new password by somebody who is signed in."""

from portal.domain import accounts, contacts, devices, identities
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer
from portal.domain.messages import N_
from portal.domain.password_reuse import hash_new_password
from portal.domain.rate_limits import attempt, password_limits
from portal.storage.database import retried

_WRONG_CURRENT_PASSWORD = N_("This isn't your current password. Try again, or set a new password by email.")

_LOCKED = N_("Too many wrong passwords were entered for this account. Set a new password by email to unlock it.")


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
    key = customer.email_key or ""  # an account has an address
    device = devices.find(context, visitor, key)
    limits = password_limits(context, visitor, key, device)
    with attempt(context, visitor, limits, EventKind.PASSWORD_CHANGE, Failure.TOO_MANY_LOGINS) as counted:
        with context.database.read() as connection:
            contact = devices.with_failures_of(device, contacts.find_by_id(connection, customer.id))
        if contact is None:  # deleted since the identity was looked up
            raise _refused_current_password()
        own = [contact.password_hash] if contact.password_hash else []
        is_right = bool(context.hasher.matching(current_password, own)) and not contact.is_locked
        if is_right:
            counted.give_back()
    if not is_right:
        with context.database.write() as connection:
            devices.count_wrong_password(connection, device, customer.id)
            now, failure = context.clock(), Failure.WRONG_PASSWORD
            record(connection, visitor, EventKind.PASSWORD_CHANGE, contact_id=contact.id, now=now, refusal=failure)
        raise _refused_current_password(_LOCKED if contact.is_locked else _WRONG_CURRENT_PASSWORD)
    password_hash = hash_new_password(context, visitor, contact, password, EventKind.PASSWORD_CHANGE)
    now = context.clock()
    refusals = refusals_recorded(context, visitor, EventKind.PASSWORD_CHANGE, contact.id)
    with refusals, context.database.write() as connection:
        current = contacts.lock(connection, contact.id)
        if current is None or current.banned_at or current.password_hash != contact.password_hash:
            raise _refused_current_password()
        accounts.change_password(connection, context, visitor, current, password_hash, now)
        devices.forget_wrong_passwords(connection, device, contact.id)
        record(connection, visitor, EventKind.PASSWORD_CHANGE, contact_id=contact.id, now=now)
        return identities.start(connection, context.rules, visitor, contact_id=contact.id, remember=remember, now=now)


def _refused_current_password(detail: str = _WRONG_CURRENT_PASSWORD) -> Refused:
    return Refused(Failure.WRONG_PASSWORD, detail=detail, field="current_password")
