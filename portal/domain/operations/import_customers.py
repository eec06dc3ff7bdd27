"""Import customers from another system: all rows of a file, or none.

In two steps. First every row is checked and the valid ones are put into a temporary table, without a lock. Then they
are stored in one transaction of a few statements, short enough for a portal in production (benchmarks/importing.py).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, select
from sqlalchemy.exc import IntegrityError

from portal.domain import address_changes
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.operations import import_tables
from portal.domain.operations.import_fields import ImportedCustomer, InvalidImportRow, read_imported_customer
from portal.domain.operations.import_tables import ImportCounts
from portal.storage import sqlite
from portal.storage.database import transaction
from portal.storage.models import Contact

_BATCH = 500

_keys: BindParameter[Any] = bindparam("keys", expanding=True)
_of_organisation = Contact.c.organisation_id == bindparam("organisation_id")
_known_emails = select(Contact.c.email_key).where(_of_organisation, Contact.c.email_key.in_(_keys))
_closed_emails = _known_emails.where(Contact.c.erase_at.is_not(None))
_known_phones = select(Contact.c.phone).where(
    _of_organisation, Contact.c.email_key.is_(None), Contact.c.phone.in_(_keys)
)
_known_references = select(Contact.c.cu_ref_no).where(Contact.c.cu_ref_no.in_(_keys))


@dataclass(frozen=True)
class Row:
    """One customer of a file: the values by the API's field names."""

    line: int
    """The line that it starts on."""
    values: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be imported; `problem` is for the operator and quotes no value of the row."""

    line: int
    problem: str


class ImportRefused(Exception):
    """Nothing was imported. The message is one sentence for the operator."""


class CustomerImport:
    """One import into one organisation: `check` the rows, then `store` them."""

    def __init__(self, context: Context, organisation_id: int, connection: Connection) -> None:
        self._clock = context.clock
        self._database = context.database
        self._organisation_id = organisation_id
        self._connection = connection

    def check(self, rows: Iterable[Row | BadRow]) -> Iterator[BadRow]:
        """Stage the rows that can be stored, and yield the bad ones in the order of their lines.

        A customer who exists already, in the organisation or on an earlier line, is a bad row: an import changes no
        existing contact. Customers are the same if they have the same email address (by its canonical key) or, without
        one, the same phone number.
        """
        now = self._clock()
        rows = iter(rows)
        batches = 0
        while batch := list(islice(rows, _BATCH)):
            read = [_read(row, now) for row in batch]
            bad: list[BadRow] = []
            good: list[tuple[int, ImportedCustomer]] = []
            with self._connection.begin():
                known = self._find_known([customer for customer in read if isinstance(customer, ImportedCustomer)])
                for row, customer in zip(batch, read, strict=True):
                    if isinstance(customer, BadRow):
                        bad.append(customer)
                    elif objection := known.objection(row.line, customer):
                        bad.append(BadRow(row.line, objection))
                    else:
                        good.append((row.line, customer))
                import_tables.stage(self._database, self._connection, good)
                batches += 1
                if batches.bit_count() == 1:  # 1, 2, 4, 8 and so on
                    import_tables.count_rows(self._connection)
            yield from bad

    def store(self) -> ImportCounts:
        """Store the staged customers in one transaction; raises ImportRefused if one of them exists by now.

        They count as confirmed: the operator vouches for their addresses.
        """
        now = self._clock()
        with self._connection.begin():
            import_tables.count_rows(self._connection)
        connection = self._connection.execution_options(**sqlite.WRITING)
        try:
            with transaction(connection):
                imported = import_tables.store(connection, self._organisation_id, now)
                operator = Visitor.operator(self._organisation_id)
                record(connection, operator, EventKind.IMPORT, contact_id=None, now=now)
        except IntegrityError:
            raise ImportRefused("A customer of the file was added meanwhile. Import the file again.") from None
        return imported

    def _find_known(self, customers: list[ImportedCustomer]) -> "_KnownCustomers":
        emails = [customer.address.key for customer in customers if customer.address]
        phones = [customer.phone for customer in customers if not customer.address]
        references = [customer.cu_ref_no for customer in customers if customer.cu_ref_no]
        known_emails = self._find(_known_emails, emails)
        return _KnownCustomers(
            known_emails | self._find(_known_phones, phones),
            self._find(_closed_emails, sorted(known_emails)),
            address_changes.reserved_addresses(self._connection, self._organisation_id, emails, self._clock()),
            self._find(_known_references, references),
            import_tables.lines_of_keys(self._connection, [customer.key for customer in customers]),
            import_tables.lines_of_references(self._connection, references),
        )

    def _find(self, statement: Select[*tuple[Any, ...]], keys: Sequence[str | None]) -> set[str]:
        if not keys:
            return set()
        return set(self._connection.scalars(statement, {"keys": keys, "organisation_id": self._organisation_id}))


@contextmanager
def begin_import(context: Context, organisation_id: int) -> Iterator[CustomerImport]:
    """Start an import on a dedicated connection; customers that are staged and not stored are discarded at the end."""
    with context.database.dedicated_connection() as connection:
        with connection.begin():
            import_tables.create_tables(connection)
        yield CustomerImport(context, organisation_id, connection)


@dataclass
class _KnownCustomers:
    """The customers of a batch who exist already, and the earlier lines of the file; extended by each row."""

    keys: set[str]
    closed: set[str]
    reserved: set[str]
    """Former addresses that are reserved for customers (address_changes.py)."""
    references: set[str]
    lines_of_keys: dict[str, int]
    lines_of_references: dict[str, int]

    def objection(self, line: int, customer: ImportedCustomer) -> str | None:
        """Return the reason to reject a row; remember an accepted one."""
        key, reference = customer.key, customer.cu_ref_no
        name = "email" if customer.address else "phone"
        if key in self.closed:
            return f"{name}: This customer has closed the account. Import the row after the account is erased."
        if key in self.keys:
            return f"{name}: This customer exists already."
        if key in self.reserved:
            return f"{name}: A customer had this address until lately, and can still go back to it."
        if key in self.lines_of_keys:
            return f"{name}: Line {self.lines_of_keys[key]} has the same customer."
        if reference in self.references:
            return "cuRefNo: Another customer has this number already."
        if reference in self.lines_of_references:
            return f"cuRefNo: Line {self.lines_of_references[reference]} has the same number."
        self.lines_of_keys[key] = line
        if reference:
            self.lines_of_references[reference] = line
        return None


def _read(row: Row | BadRow, now: datetime) -> ImportedCustomer | BadRow:
    if isinstance(row, BadRow):
        return row
    try:
        return read_imported_customer(row.values, now)
    except InvalidImportRow as error:
        return BadRow(row.line, str(error))
