"""Set, change or rehash the stored password of a contact."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from portal.domain import one_time_links, sign_ins, sign_outs, trusted_browsers
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.notices import notify
from portal.domain.outbox import Notice
from portal.storage.models import Account, FormerPassword

_password_set_at = select(Account.c.password_set_at).where(Account.c.contact_id == bindparam("contact_id"))
_insert_former = insert(FormerPassword)
_replace_password = (
    update(Account)
    .where(Account.c.contact_id == bindparam("of_contact"))
    .values(password_hash=bindparam("new_hash"), password_set_at=bindparam("now"))
)


def password_set_at(connection: Connection, contact_id: int) -> datetime | None:
    """When a contact's password was set; None for one without."""
    return connection.execute(_password_set_at, {"contact_id": contact_id}).scalar_one_or_none()


def set_password(connection: Connection, contact: ContactCredentials, password_hash: str, now: datetime) -> None:
    """Store the password hash of a contact and keep the previous one as a former password.

    The caller has locked the contact's row.
    """
    if contact.password_hash is None:
        connection.execute(
            insert(Account),
            {"contact_id": contact.id, "password_hash": password_hash, "password_set_at": now, "created_at": now},
        )
        return
    _retire(connection, contact, now)
    connection.execute(_replace_password, {"of_contact": contact.id, "new_hash": password_hash, "now": now})


def _retire(connection: Connection, contact: ContactCredentials, now: datetime) -> None:
    connection.execute(
        _insert_former, {"contact_id": contact.id, "password_hash": contact.password_hash, "retired_at": now}
    )


def remove_password_set_since(
    connection: Connection, contact: ContactCredentials, since: datetime, now: datetime
) -> None:
    """Remove the password of a contact if it was set after a moment; the customer can sign in by email, and set one."""
    set_at = password_set_at(connection, contact.id)
    if set_at is not None and set_at > since:
        _retire(connection, contact, now)
        connection.execute(delete(Account).where(Account.c.contact_id == contact.id))


def change_password(
    connection: Connection,
    context: Context,
    visitor: Visitor,
    contact: ContactCredentials,
    password_hash: str,
    now: datetime,
) -> None:
    """Set a new password, end all identities and open links of the customer, and queue the security notice."""
    set_password(connection, contact, password_hash, now)
    _end_access(connection, contact.id, now)
    notice = Notice.PASSWORD_SET if contact.password_hash is None else Notice.PASSWORD_CHANGED
    notify(connection, context, visitor, contact, notice)


def keep_password(connection: Connection, contact: ContactCredentials, password_hash: str, now: datetime) -> None:
    """Set the password that a contact has already, with a hash of today's; all identities and open links end."""
    renew_hash(connection, contact, password_hash)
    _end_access(connection, contact.id, now)


def _end_access(connection: Connection, contact_id: int, now: datetime) -> None:
    """End all identities, sign-ins that wait for the second step, open links, and trust in browsers."""
    sign_outs.end_all(connection, contact_id, now)
    sign_ins.end_pending(connection, contact_id)
    one_time_links.end_all(connection, contact_id, now)
    trusted_browsers.end_all(connection, contact_id)


def renew_hash(connection: Connection, contact: ContactCredentials, password_hash: str) -> None:
    """Replace the hash of an unchanged password by one with the current Argon2 parameters."""
    connection.execute(update(Account).where(Account.c.contact_id == contact.id).values(password_hash=password_hash))
