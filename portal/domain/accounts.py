"""The stored password of a contact: set, replaced by another, or its hash renewed."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from portal.domain import identities, one_time_links, outbox
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.outbox import Notice
from portal.storage.models import Account, FormerPassword

_password_set_at = select(Account.password_set_at).where(Account.contact_id == bindparam("contact_id"))


def password_set_at(connection: Connection, contact_id: int) -> datetime | None:
    """When a contact's password was set; None for one without."""
    return connection.execute(_password_set_at, {"contact_id": contact_id}).scalar_one_or_none()


def set_password(connection: Connection, contact: ContactCredentials, password_hash: str, now: datetime) -> None:
    """Give a contact a password; the one before it is kept as a former one. The caller holds the contact's row."""
    if contact.password_hash is None:
        connection.execute(
            insert(Account),
            {"contact_id": contact.id, "password_hash": password_hash, "password_set_at": now, "created_at": now},
        )
        return
    connection.execute(
        insert(FormerPassword),
        {"contact_id": contact.id, "password_hash": contact.password_hash, "retired_at": now},
    )
    connection.execute(
        update(Account).where(Account.contact_id == contact.id).values(password_hash=password_hash, password_set_at=now)
    )


def change_password(
    connection: Connection,
    context: Context,
    visitor: Visitor,
    contact: ContactCredentials,
    password_hash: str,
    now: datetime,
) -> None:
    """Set another password, end every identity and every open link of the customer, and tell them by mail.

    A first password is no news to whoever sets it, by a link out of their own mailbox.
    """
    set_password(connection, contact, password_hash, now)
    identities.end_all(connection, contact.id, now)
    one_time_links.end_all(connection, contact.id, now)
    if contact.password_hash is not None:
        outbox.queue(
            connection,
            visitor,
            Notice.PASSWORD_CHANGED,
            contact_id=contact.id,
            recipient=contact.email,
            clock=context.clock,
            locale=contact.locale,
        )


def renew_hash(connection: Connection, contact: ContactCredentials, password_hash: str) -> None:
    """Store the same password under today's parameters."""
    connection.execute(update(Account).where(Account.contact_id == contact.id).values(password_hash=password_hash))
