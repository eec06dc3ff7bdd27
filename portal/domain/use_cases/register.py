"""Registration: what somebody typed waits until the mailbox is proven, and counts for nothing before.

Nobody gains from registering somebody else's address: what waits signs nobody in, and a proof of the mailbox made some
other way drops it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert, select

from portal.domain import contacts, one_time_links, outbox
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.contact_details import ContactDetails
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.outbox import Notice
from portal.domain.passwords.hashing import new_salt
from portal.domain.passwords.policy import refuse_unfit
from portal.domain.rate_limiter import Attempt
from portal.domain.rate_limits import (
    attempt,
    registration_email_limits,
    registration_limits,
)
from portal.domain.tokens import Purpose, random_id
from portal.domain.values.email import Address
from portal.storage.database import retried
from portal.storage.models import Contact, Registration


@dataclass(frozen=True)
class RegistrationRequest(ContactDetails):
    """What somebody types to register; shapes are checked before (forms, schemas)."""

    address: Address
    password: str = field(repr=False)
    return_url: str | None = field(default=None, kw_only=True)
    """Where the customer goes on after confirming; on one of the organisation's return origins."""


@dataclass(frozen=True)
class LockedContact:
    """The contact that a registration is for, locked, and the hash of the password: what is left is to store it."""

    connection: Connection
    contact: ContactCredentials
    password_hash: str = field(repr=False)
    now: datetime


@retried
def register(context: Context, visitor: Visitor, application: RegistrationRequest) -> str:
    """Store a registration, queue its mail, and return its public id for the registering browser.

    The owner of an existing account gets a mail that says so, a banned one none; whoever asks cannot tell: the same
    statements, one hash and one row in the outbox in each case, and a decoy that answers at the sign-in as a pending
    registration does. Nothing that is sent here changes an existing contact.
    Raises Refused (TOO_MANY_REGISTRATIONS, or REGISTRATION_FAILED with the reason against the password) and Busy.
    """
    with locked_contact(context, visitor, application) as held:
        return store(context, visitor, application, held)


@contextmanager
def locked_contact(context: Context, visitor: Visitor, application: RegistrationRequest) -> Iterator[LockedContact]:
    """Count the try, check and hash the password, and hold the contact, which is created for a new address.

    What the block does is one transaction with that; no lock is held while hashing. Raises what `register` does.
    """
    address = application.address
    registrations, emails = (
        attempt(context, visitor, limits, EventKind.REGISTER, Failure.TOO_MANY_REGISTRATIONS)
        for limits in (registration_limits(context, visitor), registration_email_limits(context, visitor, address.key))
    )
    with registrations, emails:
        _check_password(context, visitor, application, emails)
        with context.database.read() as connection:
            known = contacts.find(connection, visitor.organisation_id, address.key)
        salt = known.password_salt if known else new_salt()
        while True:
            password_hash = context.hasher.hash(application.password, salt)
            now = context.clock()
            with context.database.write() as connection:
                contact = contacts.get_or_create(connection, visitor.organisation_id, address, salt=salt, now=now)
                if contact.password_salt == salt:
                    yield LockedContact(connection, contact, password_hash, now)
                    return
            salt = contact.password_salt  # a parallel registration of the address was quicker: hash with its salt


def _check_password(context: Context, visitor: Visitor, application: RegistrationRequest, emails: Attempt) -> None:
    """Raise Refused for a password that the policy does not accept; no email is sent then, so none is counted."""
    names = (application.name, application.first_name, application.last_name)
    try:
        with refusals_recorded(context, visitor, EventKind.REGISTER, None):
            refuse_unfit(
                application.password,
                Failure.REGISTRATION_FAILED,
                min_length=context.rules.password_min_length,
                personal=(application.address.email, *names, visitor.organisation_name),
                breached=context.breached,
            )
    except Refused:
        emails.give_back()
        raise


def store(context: Context, visitor: Visitor, application: RegistrationRequest, held: LockedContact) -> str:
    """Store a registration with its mail, in the transaction that holds the contact; returns its public id."""
    connection, contact, now = held.connection, held.contact, held.now
    waits = contact.password_hash is None and contact.banned_at is None
    public_id = random_id()
    locale = application.locale or visitor.locale
    registration_id = connection.execute(
        insert(Registration).returning(Registration.id),
        {
            **application.texts(),
            "locale": locale,
            "newsletter": application.newsletter,
            "groups": list(application.groups),
            "referral": application.referral,
            "public_id": public_id,
            "contact_id": contact.id,
            "email": application.address.email,
            "password_hash": held.password_hash,
            "ip": visitor.ip,
            "return_url": application.return_url,
            "created_at": now,
            "ended_at": None,
            "is_decoy": not waits,
            "failed_passwords": 0,
        },
    ).scalar_one()
    # To sign in with it tells whether it is the password of an account: without this, registering one guess after
    # another would get round the limit of wrong passwords in a row.
    contacts.count_wrong_password(connection, contact.id)
    queue_mail(connection, context, visitor, contact, registration_id, now, locale=locale, waits=waits)
    record(connection, visitor, EventKind.REGISTER, contact_id=contact.id, now=now)
    return public_id


def return_url_of(context: Context, visitor: Visitor, registration: str) -> str | None:
    """Where the customer of a registration, by its public id, wants to go on; to be checked again."""
    find = (
        select(Registration.return_url)
        .join(Contact, Contact.id == Registration.contact_id)
        .where(Registration.public_id == registration, Contact.organisation_id == visitor.organisation_id)
    )
    with context.database.read() as connection:
        return connection.execute(find).scalar_one_or_none()


def queue_mail(
    connection: Connection,
    context: Context,
    visitor: Visitor,
    contact: ContactCredentials,
    registration_id: int,
    now: datetime,
    *,
    locale: str | None,
    waits: bool,
) -> None:
    """Queue the mail that a registration leads to: a link while it waits, or word that there is an account already.

    `locale` is the registration's, for a contact whose own is not known.
    """
    has_account = contact.password_hash is not None
    link = one_time_links.issue(
        connection,
        Purpose.VERIFY,
        contact_id=contact.id,
        registration_id=registration_id,
        email=contact.email,
        now=now,
        expires_at=now + context.rules.verify_lifetime,
        usable=waits,
    )
    outbox.queue(
        connection,
        visitor,
        Notice.ACCOUNT_EXISTS if has_account else Notice.VERIFY,
        contact_id=contact.id,
        recipient=contact.email,
        clock=context.clock,
        locale=contact.locale or locale,
        link_id=link.id if waits else None,
        wanted=contact.banned_at is None and (waits or has_account),
    )
