"""A new password by somebody who is signed in."""

from portal.domain import accounts, contacts, devices, identities
from portal.domain.addresses import parse_email
from portal.domain.context import Context, Visitor
from portal.domain.database import retried
from portal.domain.errors import N_, Failure, Refused
from portal.domain.events import EventKind, record, refusals_recorded
from portal.domain.guards import count_or_refuse, given_back_unless_done, password_guards
from portal.domain.identities import Customer
from portal.domain.new_password import hash_new_password, objection_to

_WRONG_CURRENT_PASSWORD = N_("This is not your current password. Try again, or set a new password by mail.")

_CLOSED = N_("Too many wrong passwords were tried for this account. Set a new password by mail to open it again.")


def has_password(context: Context, customer: Customer) -> bool:
    """Return whether a customer has a password: who was only known so far, or signs in by email, may have none."""
    with context.database.read() as connection:
        contact = contacts.find_by_id(connection, customer.id)
    return contact is not None and contact.password_hash is not None


@retried
def change_password(
    context: Context, visitor: Visitor, customer: Customer, current_password: str, password: str, *, kept: bool
) -> str:
    """Change the password of a customer who knows the current one; returns a new identity in place of the one in use.

    Every identity ends, the one in use too, and so do open links; a notice goes out. A wrong current password counts
    as a failed login in the same browser does, on the same counters. Two hashes are computed: the current password's
    and the new one's, compared with all former ones. Raises Refused (WRONG_PASSWORD, TOO_MANY_LOGINS, PASSWORD_REFUSED,
    PASSWORD_REUSED) and Busy.
    """
    key = parse_email(customer.email).key
    device = devices.find(context, visitor, key)
    guards = password_guards(context, visitor, key, device)
    count_or_refuse(context, visitor, guards, EventKind.PASSWORD_CHANGE, Failure.TOO_MANY_LOGINS)
    with context.database.read() as connection:
        contact = devices.seen_from(device, contacts.find_by_id(connection, customer.id))
    if contact is None:  # deleted since the identity was looked up
        raise _refused_current_password()
    own = [contact.password_hash] if contact.password_hash else []
    with given_back_unless_done(context, guards):
        fits = context.hasher.matching(current_password, own)
    if fits and not contact.is_closed:
        context.throttle.give_back(guards)
    else:
        with context.database.write() as connection:
            devices.count_wrong_password(connection, device, customer.id)
            now, failure = context.clock(), Failure.WRONG_PASSWORD
            record(connection, visitor, EventKind.PASSWORD_CHANGE, contact_id=contact.id, now=now, refusal=failure)
        raise _refused_current_password(
            _CLOSED if contact.is_closed else _WRONG_CURRENT_PASSWORD,
            also=objection_to(context, visitor, contact, password),
        )
    new = hash_new_password(context, visitor, contact, password, EventKind.PASSWORD_CHANGE)
    now = context.clock()
    refusals = refusals_recorded(context, visitor, EventKind.PASSWORD_CHANGE, contact.id)
    with refusals, context.database.write() as connection:
        current = contacts.lock(connection, contact.id)
        if current is None or current.banned_at or current.password_hash != contact.password_hash:
            raise _refused_current_password()
        accounts.change_password(connection, context, visitor, current, new.hash, now)
        devices.forget_wrong_passwords(connection, device, contact.id)
        record(connection, visitor, EventKind.PASSWORD_CHANGE, contact_id=contact.id, now=now)
        return identities.start(connection, context.rules, visitor, contact_id=contact.id, kept=kept, now=now)


def _refused_current_password(detail: str = _WRONG_CURRENT_PASSWORD, *, also: Refused | None = None) -> Refused:
    return Refused(Failure.WRONG_PASSWORD, detail=detail, field="current_password", also=also)
