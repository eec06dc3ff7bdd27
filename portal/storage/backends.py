"""The interface of a database system, implemented for SQLite (sqlite.py) and PostgreSQL (postgresql.py)."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import URL, Connection, Engine, Table
from sqlalchemy.exc import SQLAlchemyError


class DatabaseUnavailable(SQLAlchemyError):
    """The database cannot be used now. Nothing was changed, unless it was the commit that got no answer.

    It does not answer, is full, damaged, read-only, locked by another writer, denies access, or has another schema. The
    message is the driver's first line, without values.
    """


class TransactionConflict(DatabaseUnavailable):
    """A deadlock or a serialization failure: the transaction can be retried."""


class DatabaseTimeout(DatabaseUnavailable):
    """The server did not answer in time."""


class Backend(Protocol):
    """A database system, behind SQLAlchemy's connections."""

    READING: Mapping[str, object]
    """Execution options for statements that only read."""
    WRITING: Mapping[str, object]
    """Execution options of a transaction that writes."""
    WRITING_WITHOUT_WAITING: Mapping[str, object]
    """Execution options of a transaction that fails at once instead of waiting for another writer."""

    def engine_options(self, url: URL, /) -> dict[str, object]:
        """Return the arguments for create_engine."""

    def prepare(self, engine: Engine, /) -> None:
        """Register the event listeners of an engine."""

    def classify(self, error: BaseException | None, /) -> type[DatabaseUnavailable] | None:
        """Return what a driver's error means for the database; None if its class (OperationalError) decides."""

    def without_time_limit(self, connection: Connection, /) -> AbstractContextManager[None]:
        """Disable the time limit of statements until the end of the transaction."""

    def disable_time_limit(self, connection: Connection, /) -> None:
        """Disable the time limit of statements of a connection for good."""

    def insert_rows(self, connection: Connection, table: Table, rows: Sequence[Sequence[object]], /) -> None:
        """Insert many rows, each with the values of all columns in the table's order, as fast as the driver can."""

    def accepts_writes(self, connection: Connection, /) -> bool:
        """Return whether the server accepts writes."""

    def scrub(self, engine: Engine, /) -> None:
        """Remove deleted rows from the write-ahead log too."""
