"""Known devices: those that a customer signed in with. Each has its own rate limits, which no attacker can exhaust.

OWASP, "Slow Down Online Guessing Attacks with Device Cookies". A browser is recognised by a cookie set at sign-in;
behind a shop's server the customer's network is, by the IP address that the server reports. A device is known for its
own customers only, so a forged or stolen cookie gives no advantage with another account. A device signs no customer in.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, delete, exists, or_, select, update

from portal.domain import contacts, trusted_browsers
from portal.domain.context import Context, Visitor
from portal.domain.tokens import PUBLIC_ID_LENGTH, digest_of, random_id
from portal.storage.backends import DatabaseUnavailable
from portal.storage.database import retried
from portal.storage.models import Contact, Device, Identity

LIFETIME = timedelta(days=365)
"""How long a device is known after the last sign-in with it."""
MAX_PER_CONTACT = 50
"""Known devices of one customer; the least recently used ones are deleted first."""
_SEEN_PRECISION = timedelta(days=1)
"""`seen_at` is written at most once in this time, to save writes."""
_COOKIE = re.compile(rf"[A-Za-z0-9]{{{PUBLIC_ID_LENGTH}}}")


@dataclass(frozen=True)
class KnownDevice:
    """A known device of the customer whose address was looked up."""

    id: int
    failed_passwords: int


_columns = select(Device.c.id, Device.c.failed_passwords)
_of_contact = (
    (Device.c.contact_id == bindparam("of_contact"))
    & (Device.c.digest == bindparam("digest"))
    & (Device.c.seen_at > bindparam("oldest"))
)
_find_of_contact = _columns.where(_of_contact)
_find = (
    _columns.join(Contact, Contact.c.id == Device.c.contact_id)
    .where(Contact.c.organisation_id == bindparam("organisation_id"), Contact.c.email_key == bindparam("email_key"))
    .where(Device.c.digest == bindparam("digest"), Device.c.seen_at > bindparam("oldest"), Contact.c.erase_at.is_(None))
)
_find_by_id = _columns.where(Device.c.id == bindparam("device_id"))
_own_devices = exists().where(Device.c.contact_id == bindparam("of_contact"))
_is_new = select(
    and_(
        ~_own_devices.where(Device.c.digest == bindparam("digest"), Device.c.seen_at > bindparam("oldest")),
        or_(_own_devices, exists().where(Identity.c.contact_id == bindparam("of_contact"))),
    )
)
_of_identity = (
    select(Identity.c.contact_id, Device.c.seen_at)
    .outerjoin(Device, and_(Device.c.contact_id == Identity.c.contact_id, Device.c.digest == bindparam("digest")))
    .where(Identity.c.digest == bindparam("identity"))
)
_is_open = select(Identity.c.id).where(Identity.c.digest == bindparam("identity"), Identity.c.ended_at.is_(None))
_replace_digest = (
    update(Device)
    .where(Device.c.digest == bindparam("of_digest"), Device.c.seen_at > bindparam("oldest"))
    .where(
        exists().where(Contact.c.id == Device.c.contact_id, Contact.c.organisation_id == bindparam("in_organisation"))
    )
    .values(digest=bindparam("new_digest"))
)
_update_seen_at = (
    update(Device)
    .where(Device.c.digest == bindparam("of_digest"), Device.c.contact_id == bindparam("of_contact"))
    .values(seen_at=bindparam("now"))
)
_newest = (
    select(Device.c.id)
    .where(Device.c.contact_id == bindparam("of_contact"))
    .order_by(Device.c.seen_at.desc(), Device.c.id.desc())
    .limit(MAX_PER_CONTACT)
)
_delete_oldest = delete(Device).where(Device.c.contact_id == bindparam("of_contact"), Device.c.id.not_in(_newest))


def is_cookie(text: str) -> bool:
    """Return whether a text has the format of a device cookie's value."""
    return _COOKIE.fullmatch(text) is not None


def find(context: Context, visitor: Visitor, key: str) -> KnownDevice | None:
    """Return the visitor's device if it is known for the customer with an address.

    Runs the same statement for known and unknown addresses; none for a visitor without a device.
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


def is_new(connection: Connection, visitor: Visitor, contact_id: int, now: datetime) -> bool:
    """Return whether the visitor's device is not known for a customer who has signed in before."""
    parameters = {"of_contact": contact_id, "digest": _digest_of(visitor) or b"", "oldest": now - LIFETIME}
    return bool(connection.execute(_is_new, parameters).scalar_one())


def forget_all(connection: Connection, contact_id: int) -> None:
    """Forget the known devices of a customer."""
    connection.execute(delete(Device).where(Device.c.contact_id == contact_id))


def reload(connection: Connection, device: KnownDevice | None) -> KnownDevice | None:
    """Read a device again."""
    row = device and connection.execute(_find_by_id, {"device_id": device.id}).one_or_none()
    return KnownDevice(**row._asdict()) if row else None


def find_of_contact(context: Context, visitor: Visitor, contact_id: int) -> KnownDevice | None:
    """Return the visitor's device if it is known for a customer."""
    digest = _digest_of(visitor)
    if digest is None:
        return None
    parameters = {"of_contact": contact_id, "digest": digest, "oldest": context.clock() - LIFETIME}
    with context.database.read() as connection:
        row = connection.execute(_find_of_contact, parameters).one_or_none()
    return KnownDevice(**row._asdict()) if row else None


def remember_device(context: Context, visitor: Visitor, identity: str, *, trust: bool = False) -> str | None:
    """Store the visitor's device as a known device of the customer of a new identity.

    With `trust`, it becomes a trusted browser (trusted_browsers.py). The value is then a new one, so that an earlier
    copy of the cookie is not trusted.

    Return the value for the browser's cookie: the presented one if it was known for this customer, else a new one, so
    that an attacker cannot plant or copy a value that will belong to another customer. Return None for a shop's
    customers, for a session that has ended meanwhile, and if nothing could be written: a sign-in that has succeeded
    does not fail for this.
    """
    with suppress(DatabaseUnavailable):
        return _remember_device(context, visitor, identity, trust=trust)
    return None


@retried
def _remember_device(context: Context, visitor: Visitor, identity: str, *, trust: bool) -> str | None:
    digest = _digest_of(visitor)
    if digest is None and visitor.via_api:
        return None
    now = context.clock()
    with context.database.read() as connection:
        parameters = {"identity": digest_of(identity), "digest": digest or b""}
        row = connection.execute(_of_identity, parameters).one_or_none()
    if row is None:  # the customer was deleted meanwhile
        return None
    if row.seen_at is not None and now < row.seen_at + _SEEN_PRECISION and not trust:
        return visitor.device
    with context.database.write() as connection:
        if contacts.lock(connection, row.contact_id) is None:
            return None
        if connection.execute(_is_open, parameters).one_or_none() is None:  # ended meanwhile
            return None
        value = visitor.device
        is_known = row.seen_at is not None and now < row.seen_at + LIFETIME
        if digest is None or trust or not (is_known or visitor.via_api):
            value = random_id()
            _replace_value(connection, visitor, digest, digest_of(value), now)
            digest = digest_of(value)
        _store(connection, row.contact_id, digest, now)
        if trust:
            trusted_browsers.trust(connection, row.contact_id, digest, now)
    return value


def _replace_value(connection: Connection, visitor: Visitor, old: bytes | None, new: bytes, now: datetime) -> None:
    """Replace the cookie value for the other customers of a browser too, so that a copy of the old one is worthless."""
    if old is not None:
        parameters = {"of_digest": old, "new_digest": new, "oldest": now - LIFETIME}
        connection.execute(_replace_digest, {**parameters, "in_organisation": visitor.organisation_id})


def _store(connection: Connection, contact_id: int, digest: bytes, now: datetime) -> None:
    insert = contacts.insert_or_ignore(connection, Device, "digest", "contact_id").returning(Device.c.id)
    values = {"contact_id": contact_id, "digest": digest, "failed_passwords": 0, "created_at": now, "seen_at": now}
    if connection.execute(insert, values).one_or_none():
        connection.execute(_delete_oldest, {"of_contact": contact_id})
    else:
        connection.execute(_update_seen_at, {"of_digest": digest, "of_contact": contact_id, "now": now})


def forget_since(connection: Connection, contact_id: int, since: datetime) -> None:
    """Forget the devices of a customer that became known after a moment."""
    connection.execute(delete(Device).where(Device.c.contact_id == contact_id, Device.c.created_at > since))


def _digest_of(visitor: Visitor) -> bytes | None:
    """Return the digest of the visitor's device; a network's never equals that of a cookie value (see `is_cookie`)."""
    if visitor.via_api:
        return None if visitor.network is None else digest_of(f"network {visitor.network}")
    return None if visitor.device is None else digest_of(visitor.device)
