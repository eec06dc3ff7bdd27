"""Sign a customer in at the request of a shop's server, which vouches for the mailbox (magic auth)."""

from datetime import datetime

from sqlalchemy import Connection, select

from portal.domain import contacts, identities
from portal.domain.address_changes import is_reserved_for_another
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.contact_details import ContactDetails, fill_empty_fields
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import NewIdentity
from portal.domain.passwords.hashing import new_salt
from portal.domain.pending_registrations import open_registrations
from portal.domain.rate_limits import attempt, magic_auth_limits
from portal.domain.values.email import Address
from portal.storage.database import retried
from portal.storage.models import Organisation


@retried
def magic_auth(
    context: Context,
    visitor: Visitor,
    address: Address,
    *,
    first_name: str | None = None,
    last_name: str | None = None,
    referral: str | None = None,
) -> str:
    """Sign in the customer with an address and return the new identity, which is a remembered one.

    An unknown address becomes a contact with these names and referral, if the organisation allows it and the address is
    not reserved for a customer who had it before (address_changes.py); parallel calls create one contact. A known
    contact is not changed: a shop's request does not prove the mailbox, so a pending registration stays pending and a
    locked password stays locked.

    Raises Refused: TOO_MANY_LOGINS, BANNED, UNVERIFIED (known from a pending registration only), UNKNOWN_CONTACT for a
    closed account, and if no contact is created UNKNOWN_CONTACT, or NO_ACCOUNT for a contact without a password.
    """
    limits = magic_auth_limits(context, visitor, address.key)
    counted = attempt(context, visitor, limits, EventKind.MAGIC_AUTH, Failure.TOO_MANY_LOGINS)
    with context.database.read() as connection:
        known = contacts.find(connection, visitor.organisation_id, address.key)
    now = context.clock()
    refusals = refusals_recorded(context, visitor, EventKind.MAGIC_AUTH, known.id if known else None)
    with counted, refusals, context.database.write() as connection:
        contact = _lock_admissible_contact(connection, visitor, address, now)
        is_new = contact.confirmed_at is None
        if is_new:
            contacts.confirm(connection, contact.id, address.email, now)
            details = ContactDetails(first_name=first_name, last_name=last_name, referral=referral)
            fill_empty_fields(connection, visitor.organisation_id, contact.id, details, ip=visitor.ip)
        record(connection, visitor, EventKind.MAGIC_AUTH, contact_id=contact.id, now=now)
        identity = identities.start(connection, context.rules, visitor, NewIdentity(contact.id, remember=True), now)
    if not is_new:
        counted.give_back()
    return identity


def _lock_admissible_contact(
    connection: Connection, visitor: Visitor, address: Address, now: datetime
) -> ContactCredentials:
    """Lock and return the contact to sign in; a new one is not confirmed yet. Raises Refused."""
    statement = select(Organisation.c.magic_auth_creates).where(Organisation.c.id == visitor.organisation_id)
    creates = connection.execute(statement).scalar_one()
    contact = (
        contacts.get_or_create(connection, visitor.organisation_id, address, salt=new_salt(), now=now)
        if creates
        else contacts.lock_by_key(connection, visitor.organisation_id, address.key)
    )
    if contact is None or contact.is_closed:
        raise Refused(Failure.UNKNOWN_CONTACT)
    if contact.confirmed_at is None:
        creates &= not is_reserved_for_another(connection, visitor.organisation_id, address.key, contact.id, now)
    if contact.is_banned(now):
        raise Refused(Failure.BANNED)
    if contact.confirmed_at is None and _is_pending(connection, contact, now):
        raise Refused(Failure.UNVERIFIED)
    if not creates and contact.confirmed_at is None:  # known from an expired registration only
        raise Refused(Failure.UNKNOWN_CONTACT)
    if not creates and contact.password_hash is None:
        raise Refused(Failure.NO_ACCOUNT)
    return contact


def _is_pending(connection: Connection, contact: ContactCredentials, now: datetime) -> bool:
    return any(not registration.is_decoy for registration in open_registrations(connection, contact.id, now))
