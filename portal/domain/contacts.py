"""Find, lock, create and confirm contacts by the canonical key of their email address.

A customer who closes the account is not known any more, until they keep it or are erased. By the key of its address, a
closed contact is found as one that is known from an unconfirmed registration only: without an account, and answered as
an unknown address is. By its id it is not found, as if it was deleted (except by `lock_even_closed`).
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Insert, Row, Select, Table, bindparam, func, select, update

from portal.domain.tokens import random_id
from portal.domain.values.email import Address
from portal.storage.models import Account, Contact, Device, FormerPassword, UtcDateTime

LOCKING_FAILURES = 100
"""Consecutive wrong passwords that lock a password until a proof of the mailbox (NIST SP 800-63B-4, 3.2.2); the same
number of wrong codes locks the codes from emails."""
NO_CONTACT = 0
"""An id that no contact has: statements run with it for an unknown address, so that the timing is the same."""


def is_ban_in_force(banned_at: datetime | None, banned_until: datetime | None, now: datetime) -> bool:
    """Return whether a contact is banned. A ban with an end is over then, before retention removes it."""
    return banned_at is not None and (banned_until is None or now < banned_until)


@dataclass(frozen=True)
class ContactCredentials:
    """The fields of a contact that sign-in and password changes use."""

    id: int
    email: str | None
    email_key: str | None
    password_salt: bytes = field(repr=False)
    name: str | None
    first_name: str | None
    last_name: str | None
    locale: str | None
    failed_passwords: int
    confirmed_at: datetime | None
    proven_at: datetime | None
    banned_at: datetime | None
    banned_until: datetime | None
    erase_at: datetime | None
    password_hash: str | None = field(repr=False)

    def is_banned(self, now: datetime) -> bool:
        return is_ban_in_force(self.banned_at, self.banned_until, now)

    @property
    def is_closed(self) -> bool:
        """Whether the customer has closed the account, which is erased at `erase_at`."""
        return self.erase_at is not None

    def gets_links(self, now: datetime) -> bool:
        """Return whether emails with links to sign in are sent: to customers without a ban or a closed account."""
        return not self.is_banned(now) and not self.is_closed

    @property
    def is_locked(self) -> bool:
        """Whether too many wrong passwords have locked the password."""
        return self.failed_passwords >= LOCKING_FAILURES

    @property
    def is_unproven(self) -> bool:
        """Whether it is known only from registrations whose mailbox was never proven."""
        return self.confirmed_at is None and self.banned_at is None

    @property
    def personal(self) -> tuple[str | None, ...]:
        """The texts that a password must not be made of."""
        return self.email, self.name, self.first_name, self.last_name


def whole_name(name: str | None, first_name: str | None, last_name: str | None) -> str:
    """Return the name as it was given, else first and last name as far as known."""
    return name or " ".join(part for part in (first_name, last_name) if part)


_credentials = select(
    Contact.c.id,
    Contact.c.email,
    Contact.c.email_key,
    Contact.c.password_salt,
    Contact.c.name,
    Contact.c.first_name,
    Contact.c.last_name,
    Contact.c.locale,
    Contact.c.failed_passwords,
    Contact.c.confirmed_at,
    Contact.c.proven_at,
    Contact.c.banned_at,
    Contact.c.banned_until,
    Contact.c.erase_at,
    Account.c.password_hash,
).outerjoin(Account, Account.c.contact_id == Contact.c.id)
_by_key = _credentials.where(
    Contact.c.organisation_id == bindparam("organisation_id"), Contact.c.email_key == bindparam("email_key")
)
_by_id = _credentials.where(Contact.c.id == bindparam("contact_id"))
_lock = select(Contact.c.id).with_for_update(key_share=True)
_lock_by_id = _lock.where(Contact.c.id == bindparam("contact_id"))
_lock_by_key = _lock.where(
    Contact.c.organisation_id == bindparam("organisation_id"), Contact.c.email_key == bindparam("email_key")
)


_now = bindparam("now", type_=UtcDateTime())  # COALESCE does not infer the type of its arguments
_prove_mailbox = (
    update(Contact)
    .where(Contact.c.id == bindparam("of_contact"))
    .values(
        failed_passwords=0,
        failed_codes=0,
        confirmed_at=func.coalesce(Contact.c.confirmed_at, _now),
        proven_at=func.coalesce(Contact.c.proven_at, _now),
    )
)
_unlock_devices = (
    update(Device)
    .where(Device.c.contact_id == bindparam("of_contact"), Device.c.failed_passwords > 0)
    .values(failed_passwords=0)
)
_former_passwords = select(FormerPassword.c.password_hash).where(FormerPassword.c.contact_id == bindparam("contact_id"))


def find(connection: Connection, organisation_id: int, key: str) -> ContactCredentials | None:
    """Return the contact with an address, by its canonical key."""
    row = connection.execute(_by_key, {"organisation_id": organisation_id, "email_key": key}).one_or_none()
    return _read(row) if row else None


def find_by_id(connection: Connection, contact_id: int) -> ContactCredentials | None:
    """Return a contact by its id; None if it was closed or deleted since the id was read."""
    row = connection.execute(_by_id, {"contact_id": contact_id}).one_or_none()
    return _read(row) if row and row.erase_at is None else None


def _read(row: Row[*tuple[Any, ...]]) -> ContactCredentials:
    contact = ContactCredentials(**row._asdict())
    return replace(contact, password_hash=None, confirmed_at=None, proven_at=None) if contact.is_closed else contact


def lock(connection: Connection, contact_id: int) -> ContactCredentials | None:
    """Lock a contact until the end of the transaction and return it, so that changes of credentials are serialised.

    Two statements, lock and read: with a single one PostgreSQL would join the account as it was before the wait for the
    lock, with a password that has been replaced. Rows that only refer to the contact can still be inserted.
    """
    _execute_lock(connection, _lock_by_id, {"contact_id": contact_id})
    return find_by_id(connection, contact_id)


def lock_even_closed(connection: Connection, contact_id: int) -> ContactCredentials | None:
    """Lock and return a contact as `lock` does, but also one that is closed."""
    _execute_lock(connection, _lock_by_id, {"contact_id": contact_id})
    row = connection.execute(_by_id, {"contact_id": contact_id}).one_or_none()
    return _read(row) if row else None


def reopen(connection: Connection, contact_id: int) -> ContactCredentials:
    """Reopen a closed contact, and return it with the password that is read as none while it is closed.

    The caller has locked the contact's row.
    """
    connection.execute(update(Contact).where(Contact.c.id == contact_id).values(erase_at=None))
    return _read(connection.execute(_by_id, {"contact_id": contact_id}).one())


def lock_by_key(connection: Connection, organisation_id: int, key: str) -> ContactCredentials | None:
    """Lock and return the contact with an address, as `lock` does."""
    _execute_lock(connection, _lock_by_key, {"organisation_id": organisation_id, "email_key": key})
    return find(connection, organisation_id, key)


def _execute_lock(connection: Connection, statement: Select[int], parameters: dict[str, int | str]) -> None:
    if connection.dialect.name == "postgresql":  # on SQLite the transaction has the only write lock already
        connection.execute(statement, parameters)


def get_or_create(
    connection: Connection, organisation_id: int, address: Address, *, salt: bytes, now: datetime
) -> ContactCredentials:
    """Lock and return the contact with an address; create an unconfirmed one for an unknown address.

    Of any number of parallel callers one creates it, with its salt. A contact that retention deletes between the two
    statements is created again.
    """
    while True:
        connection.execute(
            insert_or_ignore(connection, Contact, "organisation_id", "email_key"),
            {
                "organisation_id": organisation_id,
                "email": address.email,
                "email_key": address.key,
                "cu_ref_no": random_id(16),
                "password_salt": salt,
                "created_at": now,
            },
        )
        contact = lock_by_key(connection, organisation_id, address.key)
        if contact is not None:
            return contact


def insert_or_ignore(connection: Connection, table: Table[Any], *unique: str) -> Insert:
    """Return an INSERT that does nothing if a row with the same `unique` columns exists."""
    # Each dialect is loaded with its driver, and the other one not at all: PostgreSQL's takes 0.02 s.
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    statement: Insert = dialect.insert(table).on_conflict_do_nothing(index_elements=unique)
    return statement


def former_passwords(connection: Connection, contact_id: int) -> list[str]:
    """Return the hashes of all former passwords of a contact."""
    return list(connection.scalars(_former_passwords, {"contact_id": contact_id}))


def confirm(connection: Connection, contact_id: int, email: str, now: datetime) -> None:
    """Confirm a contact and store this spelling of its address.

    An attacker may have registered the address first, in another spelling with the same key.
    """
    unconfirmed = update(Contact).where(Contact.c.id == contact_id, Contact.c.confirmed_at.is_(None))
    connection.execute(unconfirmed.values(email=email, confirmed_at=now))


def prove_mailbox(connection: Connection, contact_id: int, now: datetime) -> None:
    """Record a proof of the mailbox: confirm the contact and unlock its password and codes.

    Part of `mailbox_proof.redeem`. The password is unlocked for known devices (devices.py) too. The caller has locked
    the contact's row.
    """
    connection.execute(_prove_mailbox, {"of_contact": contact_id, "now": now})
    connection.execute(_unlock_devices, {"of_contact": contact_id})
