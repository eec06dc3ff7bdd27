"""Contacts: found by the canonical key of their address, locked before they change."""

from collections.abc import Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Insert, Select, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from portal.domain.tokens import random_id
from portal.domain.values.email import Address
from portal.storage.models import Account, Base, Contact, Device, FormerPassword

LOCKING_FAILURES = 100
"""Wrong passwords in a row after which a password opens nothing until the mailbox is proven (63B 3.2.2); for codes from
emails likewise."""
NO_CONTACT = 0
"""No contact has this id: statements about an unknown address run with it, so that the work is the same."""


@dataclass(frozen=True)
class ContactCredentials:
    """What is known of a contact that matters to its credentials."""

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
    password_hash: str | None = field(repr=False)

    @property
    def is_locked(self) -> bool:
        """Whether too many wrong passwords have closed the password."""
        return self.failed_passwords >= LOCKING_FAILURES

    @property
    def personal(self) -> tuple[str | None, ...]:
        """What a password should not be made of."""
        return self.email, self.name, self.first_name, self.last_name


def whole_name(name: str | None, first_name: str | None, last_name: str | None) -> str:
    """What somebody is called: the name as it was given, else made of first and last name, as far as known."""
    return name or " ".join(part for part in (first_name, last_name) if part)


_known = select(
    Contact.id,
    Contact.email,
    Contact.email_key,
    Contact.password_salt,
    Contact.name,
    Contact.first_name,
    Contact.last_name,
    Contact.locale,
    Contact.failed_passwords,
    Contact.confirmed_at,
    Contact.proven_at,
    Contact.banned_at,
    Account.password_hash,
).outerjoin(Account, Account.contact_id == Contact.id)
_by_key = _known.where(
    Contact.organisation_id == bindparam("organisation_id"), Contact.email_key == bindparam("email_key")
)
_by_id = _known.where(Contact.id == bindparam("contact_id"))
_hold = select(Contact.id).with_for_update(key_share=True)
_hold_by_id = _hold.where(Contact.id == bindparam("contact_id"))
_hold_by_key = _hold.where(
    Contact.organisation_id == bindparam("organisation_id"), Contact.email_key == bindparam("email_key")
)
_former = select(FormerPassword.password_hash).where(FormerPassword.contact_id == bindparam("contact_id"))
_count_failure = (
    update(Contact).where(Contact.id == bindparam("of_contact")).values(failed_passwords=Contact.failed_passwords + 1)
)
_forget_failures = update(Contact).where(Contact.id == bindparam("of_contact")).values(failed_passwords=0)
_count_code = (
    update(Contact)
    .where(Contact.id.in_(bindparam("of_contacts", expanding=True)), Contact.failed_codes < LOCKING_FAILURES)
    .values(failed_codes=Contact.failed_codes + 1)
    .returning(Contact.id)
)
_now = bindparam("now", type_=Contact.__table__.c.confirmed_at.type)  # which COALESCE does not pass on to it
_prove = (
    update(Contact)
    .where(Contact.id == bindparam("of_contact"))
    .values(
        failed_passwords=0,
        failed_codes=0,
        confirmed_at=func.coalesce(Contact.confirmed_at, _now),
        proven_at=func.coalesce(Contact.proven_at, _now),
    )
)
_forgive_devices = (
    update(Device)
    .where(Device.contact_id == bindparam("of_contact"), Device.failed_passwords > 0)
    .values(failed_passwords=0)
)
_confirm = (
    update(Contact)
    .where(Contact.id == bindparam("of_contact"), Contact.confirmed_at.is_(None))
    .values(email=bindparam("written"), confirmed_at=bindparam("now"))
)


def find(connection: Connection, organisation_id: int, key: str) -> ContactCredentials | None:
    """The contact with an address, by its canonical key."""
    row = connection.execute(_by_key, {"organisation_id": organisation_id, "email_key": key}).one_or_none()
    return ContactCredentials(**row._asdict()) if row else None


def find_by_id(connection: Connection, contact_id: int) -> ContactCredentials | None:
    """A contact by its id; None when it was deleted since the id was read."""
    row = connection.execute(_by_id, {"contact_id": contact_id}).one_or_none()
    return ContactCredentials(**row._asdict()) if row else None


def lock(connection: Connection, contact_id: int) -> ContactCredentials | None:
    """A contact, held until the transaction ends: whatever changes a credential goes one after another.

    Held first and read then, by a statement of its own. PostgreSQL would join what it had seen of the account before it
    waited for the contact: the password of before a change, say. What only refers to the contact does not wait.
    """
    _execute_hold(connection, _hold_by_id, {"contact_id": contact_id})
    return find_by_id(connection, contact_id)


def lock_by_key(connection: Connection, organisation_id: int, key: str) -> ContactCredentials | None:
    """The contact with an address, held as by `lock`."""
    _execute_hold(connection, _hold_by_key, {"organisation_id": organisation_id, "email_key": key})
    return find(connection, organisation_id, key)


def _execute_hold(connection: Connection, hold: Select[int], parameters: dict[str, Any]) -> None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer: it is held already
        connection.execute(hold, parameters)


def get_or_create(
    connection: Connection, organisation_id: int, address: Address, *, salt: bytes, now: datetime
) -> ContactCredentials:
    """The contact with an address, held as by `lock`; an unknown address becomes one, not confirmed yet.

    Of any number of parallel callers one creates it, with its salt. One that is forgotten by retention between the two
    statements is made anew.
    """
    while True:
        connection.execute(
            insert_unless_there(connection, Contact, "organisation_id", "email_key"),
            {
                "organisation_id": organisation_id,
                "email": address.email,
                "email_key": address.key,
                "cu_ref_no": random_id(16),
                "password_salt": salt,
                "created_at": now,
            },
        )
        known = lock_by_key(connection, organisation_id, address.key)
        if known is not None:
            return known


def insert_unless_there(connection: Connection, table: type[Base], *unique: str) -> Insert:
    """A statement that adds a row, and does nothing where one with the same `unique` columns is there."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement: Insert = dialect.insert(table).on_conflict_do_nothing(index_elements=unique)
    return statement


def former_passwords(connection: Connection, contact_id: int) -> list[str]:
    """The hashes of all passwords that a contact had before the current one."""
    return list(connection.execute(_former, {"contact_id": contact_id}).scalars())


def count_wrong_password(connection: Connection, contact_id: int) -> None:
    """One more wrong password in a row."""
    connection.execute(_count_failure, {"of_contact": contact_id})


def forget_wrong_passwords(connection: Connection, contact_id: int) -> None:
    """The right password came."""
    connection.execute(_forget_failures, {"of_contact": contact_id})


def count_code(connection: Connection, contact_ids: Set[int]) -> set[int]:
    """Count a code that is typed for contacts, before it is checked; returns those for whom it may be right.

    Of the others too many codes in a row were wrong. A right one proves the mailbox, which begins the count anew.
    """
    return set(connection.scalars(_count_code, {"of_contacts": sorted(contact_ids) or [NO_CONTACT]}))


def confirm(connection: Connection, contact_id: int, email: str, now: datetime) -> None:
    """Know a contact from now on, by an address as it was written now.

    The first who wrote it may have been a stranger with another spelling of the same.
    """
    connection.execute(_confirm, {"of_contact": contact_id, "written": email, "now": now})


def prove_mailbox(connection: Connection, contact_id: int, now: datetime) -> None:
    """Confirm an address by a proof of its mailbox, and open locked codes and a locked password.

    Part of `record_mailbox_proof`. The password opens in every browser, known (devices.py) or not. The caller holds the
    contact's row.
    """
    connection.execute(_prove, {"of_contact": contact_id, "now": now})
    connection.execute(_forgive_devices, {"of_contact": contact_id})
