"""Customers brought in from another system: all of a file, or nothing of it.

In two steps. First every row is checked, and the good ones are put into a temporary table, on the disk however many
they are; nobody waits meanwhile. Then they are stored in one transaction of a few statements, so short that it can be
borne by a portal that serves (benchmarks/importing.py measures it).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    bindparam,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from portal.domain.context import Context, Visitor
from portal.domain.details import TEXTS
from portal.domain.events import EventKind, record
from portal.domain.models import Account, Contact, ContactGroup
from portal.domain.newcomers import InvalidNewcomer, Newcomer, read_newcomer
from portal.domain.passwords import new_salt
from portal.domain.tokens import random_id

_BATCH = 500

_AS_IT_IS = ("email", "email_key", "cu_ref_no", "password_salt", "newsletter", "ip", "created_at", *TEXTS)
"""The columns of a contact that are staged as they will be stored."""
_temporary = MetaData()
_staged = Table(
    "staged_contact",
    _temporary,
    Column("line", Integer, primary_key=True),
    Column("key", String, unique=True),
    Column("password_hash", Account.__table__.c.password_hash.type),
    Column("referral", Contact.__table__.c.cu_ref_no.type),
    *(Column(name, Contact.__table__.c[name].type, unique=name == "cu_ref_no") for name in _AS_IT_IS),
    prefixes=["TEMPORARY"],
)
_staged_groups = Table(
    "staged_group",
    _temporary,
    Column("cu_ref_no", Contact.__table__.c.cu_ref_no.type),
    Column("name", ContactGroup.__table__.c.name.type),
    prefixes=["TEMPORARY"],
)

_COUNT = f"ANALYZE {_staged.name}"
"""Nobody else counts a temporary table, and PostgreSQL would read it whole for every batch as if it were empty yet."""
_keys: BindParameter[Any] = bindparam("keys", expanding=True)
_of_organisation = Contact.organisation_id == bindparam("organisation_id")
_known_emails = select(Contact.email_key).where(_of_organisation, Contact.email_key.in_(_keys))
_known_phones = select(Contact.phone).where(_of_organisation, Contact.email_key.is_(None), Contact.phone.in_(_keys))
_known_references = select(Contact.cu_ref_no).where(Contact.cu_ref_no.in_(_keys))
_staged_keys = select(_staged.c.key, _staged.c.line).where(_staged.c.key.in_(_keys))
_staged_references = select(_staged.c.cu_ref_no, _staged.c.line).where(_staged.c.cu_ref_no.in_(_keys))

_stored = Contact.cu_ref_no == _staged.c.cu_ref_no
_store_contacts = (
    insert(Contact)
    .from_select(
        [*_AS_IT_IS, "organisation_id", "failed_passwords", "confirmed_at"],
        select(
            *(_staged.c[name] for name in _AS_IT_IS),
            bindparam("organisation_id", type_=Integer),
            literal(0),
            bindparam("now", type_=Contact.__table__.c.confirmed_at.type),
        ).order_by(_staged.c.line),
    )
    .execution_options(preserve_rowcount=True)
)
_store_accounts = (
    insert(Account)
    .from_select(
        ["contact_id", "password_hash", "password_set_at", "created_at"],
        select(Contact.id, _staged.c.password_hash, _staged.c.created_at, _staged.c.created_at)
        .join(_staged, _stored)
        .where(_staged.c.password_hash.is_not(None)),
    )
    .execution_options(preserve_rowcount=True)
)
_store_groups = insert(ContactGroup).from_select(
    ["contact_id", "name"],
    select(Contact.id, _staged_groups.c.name).join(_staged_groups, Contact.cu_ref_no == _staged_groups.c.cu_ref_no),
)
_Referrer = aliased(Contact)
_store_referrers = (
    update(Contact)
    .where(_stored, _staged.c.referral == _Referrer.cu_ref_no, _Referrer.id != Contact.id)
    .where(_Referrer.organisation_id == bindparam("of_organisation", type_=Integer))
    .values(referred_by_id=_Referrer.id)
)


@dataclass(frozen=True)
class Row:
    """One customer of a file: the API's field names and their values."""

    line: int
    """On which it begins."""
    values: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be imported; `problem` is for the operator and holds nothing of the row."""

    line: int
    problem: str


class ImportHindered(Exception):
    """Nothing was imported; the message is one sentence for the operator."""


@dataclass(frozen=True)
class Imported:
    """How many were stored."""

    customers: int
    accounts: int


class CustomerImport:
    """One import into one organisation: `check` the rows, then `store` them."""

    def __init__(self, context: Context, organisation_id: int, connection: Connection) -> None:
        self._clock = context.clock
        self._organisation_id = organisation_id
        self._connection = connection

    def check(self, rows: Iterable[Row | BadRow]) -> Iterator[BadRow]:
        """Stage the rows that could be stored now, and yield the others, in the order of their lines.

        Whoever is known already is a bad row, be it in the organisation or further up in the file: an import changes
        nothing that is known. That is the contact with the same e-mail address (by its canonical key), and for a row
        without one the contact without one that has the same phone number.
        """
        now = self._clock()
        rows = iter(rows)
        batches = 0
        while batch := list(islice(rows, _BATCH)):
            read = [_read(row, now) for row in batch]
            bad: list[BadRow] = []
            good: list[tuple[int, Newcomer]] = []
            with self._connection.begin():
                known = self._find_known([newcomer for newcomer in read if isinstance(newcomer, Newcomer)])
                for row, newcomer in zip(batch, read, strict=True):
                    if isinstance(newcomer, BadRow):
                        bad.append(newcomer)
                    elif objection := known.objection(row.line, newcomer):
                        bad.append(BadRow(row.line, objection))
                    else:
                        good.append((row.line, newcomer))
                self._stage(good, now)
                batches += 1
                if batches.bit_count() == 1:  # 1, 2, 4, 8 and so on
                    self._connection.exec_driver_sql(_COUNT)
            yield from bad

    def store(self) -> Imported:
        """Store what was staged, in one transaction; raises ImportHindered when one of them has become known since.

        Whoever is imported counts as confirmed: the operator vouches for them.
        """
        now = self._clock()
        with self._connection.begin():
            self._connection.exec_driver_sql(_COUNT)
        connection = self._connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        try:
            with connection.begin():
                customers = connection.execute(
                    _store_contacts, {"organisation_id": self._organisation_id, "now": now}
                ).rowcount
                accounts = connection.execute(_store_accounts).rowcount
                connection.execute(_store_groups)
                connection.execute(_store_referrers, {"of_organisation": self._organisation_id})
                operator = Visitor(organisation_id=self._organisation_id, ip=None)
                record(connection, operator, EventKind.IMPORT, contact_id=None, now=now)
        except IntegrityError:
            raise ImportHindered("Meanwhile a customer of the file has become known. Import it once more.") from None
        return Imported(customers, accounts)

    def _find_known(self, newcomers: list[Newcomer]) -> "_Known":
        emails = [newcomer.address.key for newcomer in newcomers if newcomer.address]
        phones = [newcomer.phone for newcomer in newcomers if not newcomer.address]
        references = [newcomer.cu_ref_no for newcomer in newcomers if newcomer.cu_ref_no]
        return _Known(
            {key for (key,) in [*self._rows(_known_emails, emails), *self._rows(_known_phones, phones)]},
            {reference for (reference,) in self._rows(_known_references, references)},
            dict(self._rows(_staged_keys, [*emails, *phones])),
            dict(self._rows(_staged_references, references)),
        )

    def _rows(self, statement: Select[Any], keys: list[Any]) -> list[Any]:
        if not keys:
            return []
        parameters = {"keys": keys, "organisation_id": self._organisation_id}
        return [tuple(row) for row in self._connection.execute(statement, parameters)]

    def _stage(self, newcomers: list[tuple[int, Newcomer]], now: datetime) -> None:
        contacts, groups = [], []
        for line, newcomer in newcomers:
            address, reference = newcomer.address, newcomer.cu_ref_no or random_id(16)
            contacts.append(
                {
                    **newcomer.texts(),
                    "line": line,
                    "key": _key(newcomer),
                    "email": address and address.email,
                    "email_key": address and address.key,
                    "cu_ref_no": reference,
                    "password_salt": new_salt(),
                    "newsletter": newcomer.newsletter,
                    "ip": newcomer.ip,
                    "created_at": newcomer.created_at or now,
                    "password_hash": newcomer.password_hash,
                    "referral": newcomer.referral,
                }
            )
            groups += [{"cu_ref_no": reference, "name": name} for name in newcomer.groups]
        for table, rows in ((_staged, contacts), (_staged_groups, groups)):
            if rows:
                self._connection.execute(insert(table), rows)


@contextmanager
def begin_import(context: Context, organisation_id: int) -> Iterator[CustomerImport]:
    """An import, on a connection of its own; what was staged and not stored is gone when the block ends."""
    with context.database.engine.connect() as connection:
        with connection.begin():
            _temporary.create_all(connection, checkfirst=False)
        try:
            yield CustomerImport(context, organisation_id, connection)
        finally:
            connection.invalidate()  # with the connection go its temporary tables


@dataclass
class _Known:
    """Who of a batch is there already, and on which lines of the file; grows with every row of the batch."""

    keys: set[str]
    references: set[str]
    lines_of_keys: dict[str, int]
    lines_of_references: dict[str, int]

    def objection(self, line: int, newcomer: Newcomer) -> str | None:
        """What stands against a row; one that nothing stands against is known from now on."""
        key, reference = _key(newcomer), newcomer.cu_ref_no
        name = "email" if newcomer.address else "phone"
        if key in self.keys:
            return f"{name}: This customer is known already."
        if key in self.lines_of_keys:
            return f"{name}: Line {self.lines_of_keys[key]} holds the same customer."
        if reference in self.references:
            return "cuRefNo: Another customer has this number already."
        if reference in self.lines_of_references:
            return f"cuRefNo: Line {self.lines_of_references[reference]} holds the same number."
        self.lines_of_keys[key] = line
        if reference:
            self.lines_of_references[reference] = line
        return None


def _key(newcomer: Newcomer) -> str:
    """Under which a customer is known: no phone number holds the @ of an address."""
    key = newcomer.address.key if newcomer.address else newcomer.phone
    assert key is not None  # noqa: S101 - every newcomer has one of the two (newcomers.py)
    return key


def _read(row: Row | BadRow, now: datetime) -> Newcomer | BadRow:
    if isinstance(row, BadRow):
        return row
    try:
        return read_newcomer(row.values, now)
    except InvalidNewcomer as error:
        return BadRow(row.line, str(error))
