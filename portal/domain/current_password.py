"""Check the current password of a customer who is signed in, asked for before something changes."""

from collections.abc import Callable
from dataclasses import dataclass

from portal.domain import contacts, devices, lockout
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.devices import KnownDevice
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer
from portal.domain.messages import N_
from portal.domain.rate_limits import attempt, password_limits

_WRONG_CURRENT_PASSWORD = N_("This isn't your current password. Try again, or set a new password by email.")

_LOCKED = N_("Too many wrong passwords were entered for this account. Set a new password by email to unlock it.")


@dataclass(frozen=True)
class PasswordPrompt:
    """What the current password is asked for: the event it is recorded as, and the form field it is typed into."""

    kind: EventKind
    field: str


def check_current_password(
    context: Context,
    visitor: Visitor,
    customer: Customer,
    password: str,
    prompt: PasswordPrompt,
    *,
    also: Callable[[ContactCredentials], Refused | None] | None = None,
) -> tuple[ContactCredentials, KnownDevice | None]:
    """Return the contact as it was when the password was right, and the customer's device.

    A wrong password is counted as a failed login, on the same counters, and recorded as a refusal; `also` says what
    else is wrong with the form then. One hash is computed, with no transaction open. Raises Busy, and Refused
    (WRONG_PASSWORD, TOO_MANY_LOGINS).
    """
    key = customer.email_key or ""  # an account has an address
    device = devices.find(context, visitor, key)
    limits = password_limits(context, visitor, key, device)
    with attempt(context, visitor, limits, prompt.kind, Failure.TOO_MANY_LOGINS) as counted:
        with context.database.read() as connection:
            contact = lockout.with_failures_of(device, contacts.find_by_id(connection, customer.id))
        if contact is None:  # deleted since the identity was looked up
            raise wrong_current_password(prompt.field)
        own = [contact.password_hash] if contact.password_hash else []
        is_right = bool(context.hasher.matching(password, own)) and not contact.is_locked
        if is_right:
            counted.give_back()
    if not is_right:
        with context.database.write() as connection:
            lockout.count_wrong_password(connection, device, customer.id)
            now, failure = context.clock(), Failure.WRONG_PASSWORD
            record(connection, visitor, prompt.kind, contact_id=contact.id, now=now, refusal=failure)
        detail = _LOCKED if contact.is_locked else _WRONG_CURRENT_PASSWORD
        raise wrong_current_password(prompt.field, detail, also=also(contact) if also else None)
    return contact, device


def wrong_current_password(
    field: str, detail: str = _WRONG_CURRENT_PASSWORD, *, also: Refused | None = None
) -> Refused:
    """Return the refusal of a password that is not, or no longer, the current one."""
    return Refused(Failure.WRONG_PASSWORD, detail=detail, field=field, also=also)
