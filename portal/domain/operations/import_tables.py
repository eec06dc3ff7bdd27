"""Temporary tables for customers to import, and the few statements that store them.

The tables belong to one connection, are on disk, and are dropped when it is closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)

from portal.domain.contact_details import TEXT_FIELDS
from portal.domain.operations.import_fields import ImportedCustomer
from portal.domain.passwords.hashing import new_salt
from portal.domain.tokens import random_id
from portal.storage.database import Database
from portal.storage.models import Account, Contact, ContactGroup

_COPIED_COLUMNS = ("email", "email_key", "cu_ref_no", "password_salt", "newsletter", "ip", *TEXT_FIELDS)
"""The columns of a contact that are copied unchanged."""
_temporary = MetaData()
_staged = Table(
    "staged_contact",
    _temporary,
    Column("line", Integer, primary_key=True),
    Column("key", String, unique=True),
    Column("password_hash", Account.c.password_hash.type),
    Column("referral", Contact.c.cu_ref_no.type),
    Column("given_reference", Contact.c.cu_ref_no.type, unique=True),
    Column("created_at", Contact.c.created_at.type),
    *(Column(name, Contact.c[name].type) for name in _COPIED_COLUMNS),
    prefixes=["TEMPORARY"],
)
_staged_groups = Table(
    "staged_group",
    _temporary,
    Column("cu_ref_no", Contact.c.cu_ref_no.type),
    Column("name", ContactGroup.c.name.type),
    prefixes=["TEMPORARY"],
)

_keys: BindParameter[Any] = bindparam("keys", expanding=True)
_staged_keys = select(_staged.c.key, _staged.c.line).where(_staged.c.key.in_(_keys))
_staged_references = select(_staged.c.given_reference, _staged.c.line).where(_staged.c.given_reference.in_(_keys))
_texts = attrgetter(*TEXT_FIELDS)

_now = bindparam("now", type_=Contact.c.created_at.type)
_stored = Contact.c.cu_ref_no == _staged.c.cu_ref_no
_store_contacts = (
    insert(Contact)
    .from_select(
        [*_COPIED_COLUMNS, "organisation_id", "failed_passwords", "created_at", "confirmed_at"],
        select(
            *(_staged.c[name] for name in _COPIED_COLUMNS),
            bindparam("organisation_id", type_=Integer),
            literal(0),
            func.coalesce(_staged.c.created_at, _now),
            _now,
        ).order_by(_staged.c.line),
    )
    .execution_options(preserve_rowcount=True)
)
_store_accounts = (
    insert(Account)
    .from_select(
        ["contact_id", "password_hash", "password_set_at", "created_at"],
        select(Contact.c.id, _staged.c.password_hash, Contact.c.created_at, Contact.c.created_at)
        .join(_staged, _stored)
        .where(_staged.c.password_hash.is_not(None)),
    )
    .execution_options(preserve_rowcount=True)
)
_store_groups = insert(ContactGroup).from_select(
    ["contact_id", "name"],
    select(Contact.c.id, _staged_groups.c.name).join(_staged_groups, Contact.c.cu_ref_no == _staged_groups.c.cu_ref_no),
)
_referrer = Contact.alias("referrer")
_store_referrers = (
    update(Contact)
    .where(_stored, _staged.c.referral == _referrer.c.cu_ref_no, _referrer.c.id != Contact.c.id)
    .where(_referrer.c.organisation_id == bindparam("of_organisation", type_=Integer))
    .values(referred_by_id=_referrer.c.id)
)


@dataclass(frozen=True)
class ImportCounts:
    """The numbers of stored rows."""

    customers: int
    accounts: int


def create_tables(connection: Connection) -> None:
    _temporary.create_all(connection, checkfirst=False)


def count_rows(connection: Connection) -> None:
    """Update the statistics of the temporary table.

    PostgreSQL's autovacuum does not analyse temporary tables; without statistics it would scan the table for each row.
    """
    connection.exec_driver_sql(f"ANALYZE {_staged.name}")


def lines_of_keys(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    """Return the line of each staged customer with one of the keys."""
    return dict(tuple(row) for row in connection.execute(_staged_keys, {"keys": keys}))


def lines_of_references(connection: Connection, references: Sequence[str]) -> dict[str, int]:
    """Return the line of each staged customer with one of the customer reference numbers."""
    if not references:
        return {}
    return dict(tuple(row) for row in connection.execute(_staged_references, {"keys": references}))


def stage(database: Database, connection: Connection, customers: Sequence[tuple[int, ImportedCustomer]]) -> None:
    """Add customers, each with its line in the file."""
    contacts: list[Sequence[object]] = []
    groups: list[Sequence[object]] = []
    for line, customer in customers:
        address, reference = customer.address, customer.cu_ref_no or random_id(16)
        contacts.append(
            (
                line,
                customer.key,
                customer.password_hash,
                customer.referral,
                customer.cu_ref_no,
                customer.created_at,
                # _COPIED_COLUMNS
                address and address.email,
                address and address.key,
                reference,
                new_salt(),
                customer.newsletter,
                customer.ip,
                *_texts(customer),
            )
        )
        groups += [(reference, name) for name in customer.groups]
    for table, rows in ((_staged, contacts), (_staged_groups, groups)):
        if rows:
            database.insert_rows(connection, table, rows)


def store(connection: Connection, organisation_id: int, now: datetime) -> ImportCounts:
    """Store all staged customers in an organisation, as confirmed contacts."""
    customers = connection.execute(_store_contacts, {"organisation_id": organisation_id, "now": now}).rowcount
    accounts = connection.execute(_store_accounts).rowcount
    connection.execute(_store_groups)
    connection.execute(_store_referrers, {"of_organisation": organisation_id})
    return ImportCounts(customers, accounts)
