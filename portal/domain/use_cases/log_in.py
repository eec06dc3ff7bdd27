"""Sign in with a password."""

from collections.abc import Collection
from typing import NoReturn

from portal.domain import accounts, contacts, devices, identities, pending_registrations
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import NO_CONTACT, ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.devices import KnownDevice
from portal.domain.errors import Failure, Refused
from portal.domain.pending_registrations import open_registrations
from portal.domain.rate_limits import attempt, password_limits
from portal.domain.values.email import Address
from portal.storage.database import retried


@retried
def log_in(
    context: Context, visitor: Visitor, address: Address, password: str, *, remember: bool, replacing: str | None = None
) -> str:
    """Sign a customer in and return the new identity; the one the browser carried so far (`replacing`) ends.

    Checks in the order of docs/api.md#login: rate limit (before any hashing, for unknown addresses too), contact,
    account, password, ban, confirmation. Whatever is refused, the same statements run and one hash is computed, so that
    time tells a stranger nothing (but for accounts not seen since a change of the Argon2 parameters, or since they were
    imported: a hash from elsewhere costs what it costs). Raises Refused, or Busy when too many passwords wait (the try
    is then given back).
    """
    device = devices.find(context, visitor, address.key)
    limits = password_limits(context, visitor, address.key, device)
    with attempt(context, visitor, limits, EventKind.SIGN_IN, Failure.TOO_MANY_LOGINS) as counted:
        with context.database.read() as connection:
            contact = devices.with_failures_of(device, contacts.find(connection, visitor.organisation_id, address.key))
            registrations = open_registrations(connection, contact.id if contact else NO_CONTACT, context.clock())
        if visitor.via_api:  # a shop's server may know what is known of an address
            registrations = [registration for registration in registrations if not registration.is_decoy]
        own = [contact.password_hash] if contact and contact.password_hash else []
        registered = {one.password_hash: one.public_id for one in registrations if not one.is_locked}
        matching = context.hasher.matching(password, [*own, *registered])
        renewed = None
        if contact and _may_renew(context, contact, matching):
            renewed = context.hasher.hash(password, contact.password_salt)
        failure = _judge(contact, matching, registered, known_before=bool(own or registrations))
        if failure is None or failure in _RIGHT_PASSWORD:  # a locked password counts and costs the same right or wrong
            counted.give_back()
    if contact is None or failure:
        registration = next((registered[known] for known in matching if known in registered), None)
        _refuse(context, visitor, contact, device, failure or Failure.LOGIN_FAILED, registration)
    return _sign_in(context, visitor, contact, device, renewed, remember=remember, replacing=replacing)


def _judge(
    contact: ContactCredentials | None,
    matching: set[str],
    registered: Collection[str] = (),
    *,
    known_before: bool = True,
) -> Failure | None:
    """What stands against signing in, in the order that is documented for the API; None when nothing does.

    `registered` are the password hashes of open registrations. One changes nothing about a contact known before: only
    its own password tells of it, and tells the same whatever else is known of the address.
    """
    if contact is None or not (known_before or contact.confirmed_at):
        return Failure.UNKNOWN_CONTACT
    if contact.password_hash in matching and not contact.is_locked:
        return Failure.BANNED if contact.banned_at else None
    if not matching.isdisjoint(registered):
        return Failure.UNVERIFIED
    if contact.password_hash is not None:
        return Failure.PASSWORD_LOCKED if contact.is_locked else Failure.WRONG_PASSWORD
    return Failure.NO_ACCOUNT if contact.confirmed_at else Failure.WRONG_PASSWORD


def _may_renew(context: Context, contact: ContactCredentials, matching: set[str]) -> bool:
    """Whether the right password came and its hash is not today's."""
    if contact.password_hash not in matching or contact.is_locked:
        return False
    return not context.hasher.is_current(contact.password_hash, contact.password_salt)


_RIGHT_PASSWORD = frozenset({Failure.BANNED, Failure.UNVERIFIED})


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
        if failure not in _RIGHT_PASSWORD:
            devices.count_wrong_password(connection, device, contact_id or NO_CONTACT)
            pending_registrations.count_wrong_password(connection, contact_id or NO_CONTACT)
        record(connection, visitor, EventKind.SIGN_IN, contact_id=contact_id, now=now, refusal=failure)
    # Which of the two was wrong is not told; the second is where most mistakes are made.
    raise Refused(failure, field=None if failure in _RIGHT_PASSWORD else "password", registration=registration)


def _sign_in(
    context: Context,
    visitor: Visitor,
    contact: ContactCredentials,
    device: KnownDevice | None,
    renewed: str | None,
    *,
    remember: bool,
    replacing: str | None,
) -> str:
    now = context.clock()
    with context.database.write() as connection:
        current = contacts.lock(connection, contact.id)
        device = devices.find_again(connection, device)
        current = devices.with_failures_of(device, current)
        # While the password was hashed it may have been changed or closed, or the customer banned.
        if current is None or current.password_hash != contact.password_hash:
            failure = Failure.WRONG_PASSWORD
        elif (judged := _judge(current, {contact.password_hash or ""})) is not None:
            failure = judged
        else:
            if current.failed_passwords:
                devices.forget_wrong_passwords(connection, device, contact.id)
            if renewed:
                accounts.renew_hash(connection, contact, renewed)
            identity = identities.start(
                connection,
                context.rules,
                visitor,
                contact_id=contact.id,
                remember=remember,
                now=now,
                replacing=replacing,
                is_proof=True,
            )
            record(connection, visitor, EventKind.SIGN_IN, contact_id=contact.id, now=now)
            return identity
    _refuse(context, visitor, contact, device, failure)
