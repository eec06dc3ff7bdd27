"""Change the password of a signed-in customer."""

from portal.domain import accounts, contacts, devices, identities
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer, NewIdentity
from portal.domain.messages import N_
from portal.domain.password_reuse import hash_new_password
from portal.domain.rate_limits import attempt, password_limits
from portal.domain.use_cases.judge_password import judge_password
from portal.storage.database import retried

_WRONG_CURRENT_PASSWORD = N_("This isn't your current password. Try again, or set a new password by email.")

_LOCKED = N_("Too many wrong passwords were entered for this account. Set a new password by email to unlock it.")


def has_password(context: Context, customer: Customer) -> bool:
    """Return whether a customer has a password: who was only known so far, or signs in by email, may have none."""
    with context.database.read() as connection:
        contact = contacts.find_by_id(connection, customer.id)
    return contact is not None and contact.password_hash is not None


@retried
def change_password(
    context: Context, visitor: Visitor, customer: Customer, current_password: str, password: str, *, remember: bool
) -> str:
    """Change the password of a customer who knows the current one; return a new identity for the one in use.

    Ends every identity, including the one in use, and every open link, and queues the security notice. A wrong current
    password is counted as a failed login, on the same counters. Two hashes are computed: of the current password, and
    of the new one, which is compared with all former ones. Raises Busy, and Refused (WRONG_PASSWORD, TOO_MANY_LOGINS,
    PASSWORD_REFUSED, PASSWORD_REUSED).
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
        raise _refused_current_password(
            _LOCKED if contact.is_locked else _WRONG_CURRENT_PASSWORD,
            also=_objection(context, visitor, contact, password),
        )
    new = hash_new_password(context, visitor, contact, password, EventKind.PASSWORD_CHANGE)
    now = context.clock()
    refusals = refusals_recorded(context, visitor, EventKind.PASSWORD_CHANGE, contact.id)
    with refusals, context.database.write() as connection:
        current = contacts.lock(connection, contact.id)
        if current is None or current.banned_at or current.password_hash != contact.password_hash:
            raise _refused_current_password()
        accounts.change_password(connection, context, visitor, current, new.hash, now)
        devices.reset_wrong_passwords(connection, device, contact.id)
        record(connection, visitor, EventKind.PASSWORD_CHANGE, contact_id=contact.id, now=now)
        return identities.start(connection, context.rules, visitor, NewIdentity(contact.id, remember), now)


def _refused_current_password(detail: str = _WRONG_CURRENT_PASSWORD, *, also: Refused | None = None) -> Refused:
    return Refused(Failure.WRONG_PASSWORD, detail=detail, field="current_password", also=also)


def _objection(context: Context, visitor: Visitor, contact: ContactCredentials, password: str) -> Refused | None:
    """Return what the policy says against a new password, if anything; nothing is hashed or recorded."""
    try:
        judge_password(context, visitor, password, contact.personal)
    except Refused as refusal:
        return refusal
    return None
