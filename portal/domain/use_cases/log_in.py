"""Sign a customer in with a password."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from portal.domain import accounts, contacts, devices, lockout, pending_registrations, sign_ins
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import NO_CONTACT, ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.devices import KnownDevice
from portal.domain.errors import Failure, Refused
from portal.domain.identities import NewIdentity
from portal.domain.pending_registrations import open_registrations
from portal.domain.rate_limits import attempt, password_limits
from portal.domain.sign_ins import FirstStep, SignIn
from portal.domain.values.email import Address
from portal.storage.database import retried


@dataclass(frozen=True)
class _CheckedPassword:
    """A contact whose password was found right, as of before it was hashed."""

    contact: ContactCredentials
    device: KnownDevice | None
    new_hash: str | None = field(repr=False)
    """A hash with the current parameters, if the stored one has others."""


class RegistrationPending(Refused):
    """A sign-in with the right password of a pending registration was refused; `registration` is its public id."""

    def __init__(self, failure: Failure, registration: str) -> None:
        super().__init__(failure)
        self.registration = registration


@retried
def log_in(
    context: Context, visitor: Visitor, address: Address, password: str, *, remember: bool, replacing: str | None = None
) -> SignIn:
    """Begin the sign-in of a customer (sign_ins.py); a new identity ends the one it is `replacing`.

    Checks in the order of docs/api.md#login: rate limit (before any hashing, for unknown addresses too), contact,
    account, password, ban, confirmation. Every refusal runs the same statements and computes one hash, so that the
    timing reveals nothing to an attacker (except for accounts without a sign-in since their import or since a change of
    the Argon2 parameters: the cost of their hash differs). Raises Refused, or Busy if too many passwords are queued;
    the attempt is then given back.
    """
    device = devices.find(context, visitor, address.key)
    limits = password_limits(context, visitor, address.key, device)
    with attempt(context, visitor, limits, EventKind.SIGN_IN, Failure.TOO_MANY_LOGINS) as counted:
        with context.database.read() as connection:
            contact = lockout.with_failures_of(device, contacts.find(connection, visitor.organisation_id, address.key))
            registrations = open_registrations(connection, contact.id if contact else NO_CONTACT, context.clock())
        if visitor.via_api:  # a shop's server may know whether an address has an account
            registrations = [registration for registration in registrations if not registration.is_decoy]
        own = [contact.password_hash] if contact and contact.password_hash else []
        registered = {one.password_hash: one.public_id for one in registrations if not one.is_locked}
        matching = context.hasher.matching(password, [*own, *registered])
        new_hash = None
        if contact and _needs_rehash(context, contact, matching):
            new_hash = context.hasher.hash(password, contact.password_salt)
        failure = _find_failure(contact, matching, context.clock(), registered, is_known=bool(own or registrations))
        # A locked password is counted, right or wrong, so that the answers and the timing are the same.
        if failure is None or failure in _PASSWORD_WAS_RIGHT:
            counted.give_back()
    if contact is None or failure:
        registration = next((registered[known] for known in matching if known in registered), None)
        _refuse(context, visitor, contact, device, failure or Failure.LOGIN_FAILED, registration)
    checked = _CheckedPassword(contact, device, new_hash)
    return _sign_in(context, visitor, checked, remember=remember, replacing=replacing)


def _find_failure(
    contact: ContactCredentials | None,
    matching: set[str],
    now: datetime,
    registered: Collection[str] = (),
    *,
    is_known: bool = True,
) -> Failure | None:
    """Return the reason to refuse a sign-in, in the order documented for the API, or None.

    `registered` are the password hashes of open registrations. A registration does not change the answers for a contact
    that was known before: only the registration's own password reveals it, whatever else is known of the address.
    """
    if contact is None or not (is_known or contact.confirmed_at):
        return Failure.UNKNOWN_CONTACT
    if contact.password_hash in matching and not contact.is_locked:
        return Failure.BANNED if contact.is_banned(now) else None
    if not matching.isdisjoint(registered):
        return Failure.UNVERIFIED
    if contact.password_hash is not None:
        return Failure.PASSWORD_LOCKED if contact.is_locked else Failure.WRONG_PASSWORD
    return Failure.NO_ACCOUNT if contact.confirmed_at else Failure.WRONG_PASSWORD


def _needs_rehash(context: Context, contact: ContactCredentials, matching: set[str]) -> bool:
    """Return whether the password is right and its hash does not have the current parameters."""
    if contact.password_hash not in matching or contact.is_locked:
        return False
    return not context.hasher.is_current(contact.password_hash, contact.password_salt)


_PASSWORD_WAS_RIGHT = frozenset({Failure.BANNED, Failure.UNVERIFIED})


def _refuse(
    context: Context,
    visitor: Visitor,
    contact: ContactCredentials | None,
    device: KnownDevice | None,
    failure: Failure,
    registration: str | None = None,
) -> NoReturn:
    contact_id = contact.id if contact else None
    now = context.clock()
    with context.database.write() as connection:
        if failure not in _PASSWORD_WAS_RIGHT:
            lockout.count_wrong_password(connection, device, contact_id or NO_CONTACT)
            pending_registrations.count_wrong_password(connection, contact_id or NO_CONTACT)
        record(connection, visitor, EventKind.SIGN_IN, contact_id=contact_id, now=now, refusal=failure)
    if registration is not None:
        raise RegistrationPending(failure, registration)
    # The form does not say which of the two was wrong; most mistakes are made in the password.
    raise Refused(failure, field=None if failure in _PASSWORD_WAS_RIGHT else "password")


def _sign_in(
    context: Context, visitor: Visitor, checked: _CheckedPassword, *, remember: bool, replacing: str | None
) -> SignIn:
    contact, device, now = checked.contact, checked.device, context.clock()
    with context.database.write() as connection:
        current = contacts.lock(connection, contact.id)
        device = devices.reload(connection, device)
        current = lockout.with_failures_of(device, current)
        # While the password was hashed, another request may have changed or locked it, changed the address, or banned
        # the customer.
        if current is None or current.email_key != contact.email_key or current.password_hash != contact.password_hash:
            failure = Failure.WRONG_PASSWORD
        elif (found := _find_failure(current, {contact.password_hash or ""}, now)) is not None:
            failure = found
        else:
            if current.failed_passwords:
                lockout.reset_wrong_passwords(connection, device, contact.id)
            if checked.new_hash:
                accounts.renew_hash(connection, contact, checked.new_hash)
            new = NewIdentity(contact.id, remember, replacing, is_proof=True)
            first = FirstStep(current, EventKind.SIGN_IN, new)
            return sign_ins.begin(connection, context, visitor, first, now)
    _refuse(context, visitor, contact, device, failure)
