"""Devices that a customer signed in with: each has rate limits of its own, which no stranger can use up.

OWASP, "Slow Down Online Guessing Attacks with Device Cookies". A browser is known by a cookie that it got with a
sign-in, behind a shop's server a network is known by the IP address that the server gives of its customer. For every
other customer the same device is a stranger, and so is a device that is not known: a forged or foreign cookie gains
nothing. A device signs nobody in.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, delete, exists, select, update

from portal.domain import contacts
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.tokens import PUBLIC_ID_LENGTH, digest_of, random_id
from portal.storage.backends import DatabaseUnavailable
from portal.storage.database import retried
from portal.storage.models import Contact, Device, Identity

LIFETIME = timedelta(days=365)
"""How long a device is known after the last sign-in with it."""
MOST_PER_CONTACT = 50
"""As many are known of one customer; those that were not used for the longest time go first."""
_SEEN_PRECISION = timedelta(days=1)
"""Not every sign-in is a write."""
_COOKIE = re.compile(rf"[A-Za-z0-9]{{{PUBLIC_ID_LENGTH}}}")


@dataclass(frozen=True)
class KnownDevice:
    """A device that the customer with the address in question signed in with."""

    id: int
    failed_passwords: int


_columns = select(Device.id, Device.failed_passwords)
_find = (
    _columns.join(Contact, Contact.id == Device.contact_id)
    .where(Contact.organisation_id == bindparam("organisation_id"), Contact.email_key == bindparam("email_key"))
    .where(Device.digest == bindparam("digest"), Device.seen_at > bindparam("oldest"))
)
_find_by_id = _columns.where(Device.id == bindparam("device_id"))
_of_identity = (
    select(Identity.contact_id, Device.seen_at)
    .outerjoin(Device, and_(Device.contact_id == Identity.contact_id, Device.digest == bindparam("digest")))
    .where(Identity.digest == bindparam("identity"))
)
_move = (
    update(Device)
    .where(Device.digest == bindparam("of_digest"), Device.seen_at > bindparam("oldest"))
    .where(exists().where(Contact.id == Device.contact_id, Contact.organisation_id == bindparam("in_organisation")))
    .values(digest=bindparam("new_digest"))
)
_see = (
    update(Device)
    .where(Device.digest == bindparam("of_digest"), Device.contact_id == bindparam("of_contact"))
    .values(seen_at=bindparam("now"))
)
_newest = (
    select(Device.id)
    .where(Device.contact_id == bindparam("of_contact"))
    .order_by(Device.seen_at.desc(), Device.id.desc())
    .limit(MOST_PER_CONTACT)
)
_forget_oldest = delete(Device).where(Device.contact_id == bindparam("of_contact"), Device.id.not_in(_newest))
_count_failure = (
    update(Device).where(Device.id == bindparam("of_device")).values(failed_passwords=Device.failed_passwords + 1)
)
_forget_failures = update(Device).where(Device.id == bindparam("of_device")).values(failed_passwords=0)


def is_cookie(text: str) -> bool:
    """Whether a text has the form of a device cookie's value."""
    return _COOKIE.fullmatch(text) is not None


def find(context: Context, visitor: Visitor, key: str) -> KnownDevice | None:
    """The visitor's device, if the customer with an address signed in with it before.

    One statement for each device that is presented, for known and unknown addresses alike; none for other visitors.
    """
    digest = _digest_of(visitor)
    if digest is None:
        return None
    parameters = {
        "organisation_id": visitor.organisation_id,
        "email_key": key,
        "digest": digest,
        "oldest": context.clock() - LIFETIME,
    }
    with context.database.read() as connection:
        row = connection.execute(_find, parameters).one_or_none()
    return KnownDevice(**row._asdict()) if row else None


def find_again(connection: Connection, device: KnownDevice | None) -> KnownDevice | None:
    """A device as it is now."""
    row = device and connection.execute(_find_by_id, {"device_id": device.id}).one_or_none()
    return KnownDevice(**row._asdict()) if row else None


def with_failures_of(device: KnownDevice | None, contact: ContactCredentials | None) -> ContactCredentials | None:
    """A contact with the wrong passwords that count for a device: its own, or those of all strangers."""
    if contact is None or device is None:
        return contact
    return replace(contact, failed_passwords=device.failed_passwords)


def count_wrong_password(connection: Connection, device: KnownDevice | None, contact_id: int) -> None:
    """One more wrong password in a row, from a known device or from a stranger."""
    if device is None:
        contacts.count_wrong_password(connection, contact_id)
    else:
        connection.execute(_count_failure, {"of_device": device.id})


def forget_wrong_passwords(connection: Connection, device: KnownDevice | None, contact_id: int) -> None:
    """The right password came: what was wrong before it from the same side counts no more."""
    if device is None:
        contacts.forget_wrong_passwords(connection, contact_id)
    else:
        connection.execute(_forget_failures, {"of_device": device.id})


def remember_device(context: Context, visitor: Visitor, identity: str) -> str | None:
    """Know the visitor's device as one that the customer of a new identity signed in with.

    Returns what the browser's cookie is to hold: the value that it presented where this customer was known by it, else
    a new one, so that no attacker can plant or note a value that another customer will be known by. None for a shop's
    customers, and where nothing could be written: a sign-in that has succeeded does not fail for this.
    """
    with suppress(DatabaseUnavailable):
        return _remember_device(context, visitor, identity)
    return None


@retried
def _remember_device(context: Context, visitor: Visitor, identity: str) -> str | None:
    digest = _digest_of(visitor)
    if digest is None and visitor.via_api:
        return None
    now = context.clock()
    with context.database.read() as connection:
        parameters = {"identity": digest_of(identity), "digest": digest or b""}
        row = connection.execute(_of_identity, parameters).one_or_none()
    if row is None:  # deleted at this very moment
        return None
    if row.seen_at is not None and now < row.seen_at + _SEEN_PRECISION:
        return visitor.device
    with context.database.write() as connection:
        if contacts.lock(connection, row.contact_id) is None:
            return None
        value = visitor.device
        is_known = row.seen_at is not None and now < row.seen_at + LIFETIME
        if digest is None or not (is_known or visitor.via_api):
            value = random_id()
            _move_customers(connection, visitor, digest, digest_of(value), now)
            digest = digest_of(value)
        _store(connection, row.contact_id, digest, now)
    return value


def _move_customers(connection: Connection, visitor: Visitor, old: bytes | None, new: bytes, now: datetime) -> None:
    """Give the other customers of a browser its new value: one who noted the old one is a stranger with it."""
    if old is not None:
        parameters = {"of_digest": old, "new_digest": new, "oldest": now - LIFETIME}
        connection.execute(_move, {**parameters, "in_organisation": visitor.organisation_id})


def _store(connection: Connection, contact_id: int, digest: bytes, now: datetime) -> None:
    insert = contacts.insert_unless_there(connection, Device, "digest", "contact_id").returning(Device.id)
    values = {"contact_id": contact_id, "digest": digest, "failed_passwords": 0, "created_at": now, "seen_at": now}
    if connection.execute(insert, values).one_or_none():
        connection.execute(_forget_oldest, {"of_contact": contact_id})
    else:
        connection.execute(_see, {"of_digest": digest, "of_contact": contact_id, "now": now})


def _digest_of(visitor: Visitor) -> bytes | None:
    """Under which the device that a visitor presents is stored; a network's is never that of a cookie (`is_cookie`)."""
    if visitor.via_api:
        return None if visitor.network is None else digest_of(f"network {visitor.network}")
    return None if visitor.device is None else digest_of(visitor.device)
