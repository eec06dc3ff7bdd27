"""What the portal needs of a database system: SQLite (sqlite.py) and PostgreSQL (postgresql.py) each provide it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError


class DatabaseUnavailable(SQLAlchemyError):
    """The database cannot be used for now, and nothing was changed, unless it was the commit that got no answer.

    It does not answer, is full, damaged, closed to writers or to the portal, held by another writer, or has another
    schema. The message is the driver's first line; no values stand in it.
    """


class TransactionConflict(DatabaseUnavailable):
    """A deadlock or a serialization failure: the transaction can be retried."""


class DatabaseTimeout(DatabaseUnavailable):
    """The server did not answer in time."""


class Backend(Protocol):
    """A database system. Connections are SQLAlchemy's, errors the driver's."""

    READING: Mapping[str, Any]
    """Execution options for statements that only read."""
    WRITING: Mapping[str, Any]
    """Execution options of a transaction that writes."""
    WRITING_WITHOUT_WAITING: Mapping[str, Any]
    """Execution options of a transaction that writes now or fails, without waiting for other writers."""

    def engine_options(self, url: URL, /) -> dict[str, Any]:
        """Return the arguments for create_engine."""

    def prepare(self, engine: Engine, /) -> None:
        """Set up the connections that an engine will make."""

    def classify(self, error: BaseException | None, /) -> type[DatabaseUnavailable] | None:
        """Return what an error of the driver says of the database; None where its class (OperationalError) says it."""

    def without_time_limit(self, connection: Connection, /) -> AbstractContextManager[None]:
        """Lift the time limits on statements until the end of the transaction."""

    def take_time(self, connection: Connection, /) -> None:
        """Lift the time limits on statements of a connection for good."""

    def accepts_writes(self, connection: Connection, /) -> bool:
        """Return whether the server takes writes."""

    def scrub(self, engine: Engine, /) -> None:
        """Overwrite what is left of deleted rows outside the database itself."""
