"""Store a pending registration, which has no effect before a proof of the mailbox.

An attacker who registers another person's address gains nothing: a pending registration cannot sign in, and any other
proof of the mailbox (a reset, a sign-in by email) ends it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert, select

from portal.domain import contacts, lockout, one_time_links, outbox
from portal.domain.address_changes import is_reserved_for_another
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.contact_details import ContactDetails
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.one_time_links import NewLink
from portal.domain.outbox import NewMail, Notice
from portal.domain.passwords.hashing import new_salt
from portal.domain.passwords.policy import check_new_password
from portal.domain.rate_limiter import Attempt
from portal.domain.rate_limits import attempt, registration_email_limits, registration_limits
from portal.domain.tokens import Purpose, random_id
from portal.domain.values.email import Address
from portal.storage.database import retried
from portal.storage.models import Contact, Link, Registration


@dataclass(frozen=True)
class RegistrationRequest(ContactDetails):
    """The input of a registration; its syntax is checked before (forms, schemas)."""

    address: Address
    password: str = field(repr=False)
    return_url: str | None = field(default=None, kw_only=True)
    """The URL to redirect to after confirmation; on one of the organisation's return origins."""


@dataclass(frozen=True)
class LockedContact:
    """The contact of a new registration, locked, with the hash of the chosen password."""

    connection: Connection
    contact: ContactCredentials
    password_hash: str = field(repr=False)
    now: datetime


@dataclass(frozen=True)
class StoredRegistration:
    """A stored registration, for its email."""

    id: int
    locale: str | None
    """Used for a contact whose own is unknown."""
    is_pending: bool


@retried
def register(context: Context, visitor: Visitor, request: RegistrationRequest) -> str:
    """Store a registration, queue its email, and return its public id for the registering browser.

    The owner of an existing account gets an email that says so, that of a closed one a link that keeps it, a banned
    customer none, and a former address that is reserved for its customer (address_changes.py) none either. The visitor
    sees no difference: each case runs the same statements, one hash and one row in the outbox, and a decoy behaves at
    the sign-in like a pending registration. An existing contact is not changed. Raises Busy, and Refused
    (TOO_MANY_REGISTRATIONS, or REGISTRATION_FAILED with the problem of the password).
    """
    with locked_contact(context, visitor, request) as locked:
        return store(context, visitor, request, locked)


@contextmanager
def locked_contact(context: Context, visitor: Visitor, request: RegistrationRequest) -> Iterator[LockedContact]:
    """Count the attempt, check and hash the password, and lock the contact, which is created for a new address.

    The block runs in the same transaction. No lock or transaction is open while hashing. Raises what `register` does.
    """
    address = request.address
    kind, failure = EventKind.REGISTER, Failure.TOO_MANY_REGISTRATIONS
    registrations = attempt(context, visitor, registration_limits(context, visitor), kind, failure)
    emails = attempt(context, visitor, registration_email_limits(context, visitor, address.key), kind, failure)
    with registrations, emails:
        _check_password(context, visitor, request, emails)
        with context.database.read() as connection:
            known = contacts.find(connection, visitor.organisation_id, address.key)
        salt = known.password_salt if known else new_salt()
        while True:
            password_hash = context.hasher.hash(request.password, salt)
            now = context.clock()
            with context.database.write() as connection:
                contact = contacts.get_or_create(connection, visitor.organisation_id, address, salt=salt, now=now)
                if contact.password_salt == salt:
                    yield LockedContact(connection, contact, password_hash, now)
                    return
            salt = contact.password_salt  # another request has just created the contact: hash with its salt


def _check_password(context: Context, visitor: Visitor, request: RegistrationRequest, emails: Attempt) -> None:
    """Raise Refused for a password that the policy rejects; give the email's attempt back, since none is sent."""
    names = (request.name, request.first_name, request.last_name)
    try:
        with refusals_recorded(context, visitor, EventKind.REGISTER, None):
            check_new_password(
                request.password,
                Failure.REGISTRATION_FAILED,
                min_length=context.rules.password_min_length,
                personal=(request.address.email, *names, visitor.organisation_name),
                breached=context.breached,
            )
    except Refused:
        emails.give_back()
        raise


def store(context: Context, visitor: Visitor, request: RegistrationRequest, locked: LockedContact) -> str:
    """Store a registration and queue its email, in the transaction that locks the contact; return its public id."""
    connection, contact, now = locked.connection, locked.contact, locked.now
    is_reserved = is_reserved_for_another(connection, visitor.organisation_id, request.address.key, contact.id, now)
    is_pending = contact.password_hash is None and contact.gets_links(now) and not is_reserved
    public_id = random_id()
    locale = request.locale or visitor.locale
    registration_id = connection.execute(
        insert(Registration).returning(Registration.c.id),
        {
            **request.texts(),
            "locale": locale,
            "newsletter": request.newsletter,
            "groups": list(request.groups),
            "referral": request.referral,
            "public_id": public_id,
            "contact_id": contact.id,
            "email": request.address.email,
            "password_hash": locked.password_hash,
            "ip": visitor.ip,
            "return_url": request.return_url,
            "created_at": now,
            "ended_at": None,
            "is_decoy": not is_pending,
            "failed_passwords": 0,
        },
    ).scalar_one()
    # A sign-in with this password reveals whether it is the account's: without the count, an attacker could register
    # one guess after another and so evade the limit of consecutive wrong passwords.
    lockout.count_wrong_password(connection, None, contact.id)
    queue_mail(connection, context, visitor, contact, StoredRegistration(registration_id, locale, is_pending), now)
    record(connection, visitor, EventKind.REGISTER, contact_id=contact.id, now=now)
    return public_id


def is_confirmed(context: Context, visitor: Visitor, registration: str) -> bool:
    """Return whether a registration, by its public id, was confirmed by its own link or code.

    That tells the browser that registered no more than the sign-in with the password that was chosen there.
    """
    find = (
        select(Link.c.id)
        .join(Registration, Registration.c.id == Link.c.registration_id)
        .join(Contact, Contact.c.id == Registration.c.contact_id)
        .where(Registration.c.public_id == registration, Contact.c.organisation_id == visitor.organisation_id)
        .where(Link.c.purpose == Purpose.VERIFY, Link.c.used_at.is_not(None))
    )
    with context.database.read() as connection:
        return connection.execute(find).first() is not None


def return_url_of(context: Context, visitor: Visitor, registration: str) -> str | None:
    """Return the return URL of a registration, by its public id; it must be checked again."""
    find = (
        select(Registration.c.return_url)
        .join(Contact, Contact.c.id == Registration.c.contact_id)
        .where(Registration.c.public_id == registration, Contact.c.organisation_id == visitor.organisation_id)
    )
    with context.database.read() as connection:
        return connection.execute(find).scalar_one_or_none()


def queue_mail(
    connection: Connection,
    context: Context,
    visitor: Visitor,
    contact: ContactCredentials,
    registration: StoredRegistration,
    now: datetime,
) -> None:
    """Queue the email of a registration: a confirmation link if it is pending, or the notice of an existing account.

    For a closed account the link keeps it, in place of the unusable one that goes with the notice.

    The notice also goes to a customer without a password, whose address was confirmed in another way, which ended the
    registration.
    """
    is_known = contact.password_hash is not None or contact.confirmed_at is not None
    if contact.is_closed:
        notice, purpose = Notice.KEEP, Purpose.KEEP
    else:
        notice = Notice.VERIFY if registration.is_pending or not is_known else Notice.ACCOUNT_EXISTS
        purpose = Purpose.VERIFY
    has_link = registration.is_pending or contact.is_closed
    expires_at = contact.erase_at or now + context.rules.link_lifetime(purpose)
    link = one_time_links.issue(
        connection, NewLink(purpose, contact.id, contact.email, expires_at, registration.id, usable=has_link), now
    )
    mail = NewMail(
        notice,
        contact.id,
        contact.email,
        contact.locale or registration.locale,
        link_id=link.id if has_link else None,
        wanted=not contact.is_banned(now) and (has_link or is_known),
    )
    outbox.queue(connection, visitor, mail, context.clock)
