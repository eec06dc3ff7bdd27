"""The one source of time: passed to everything that needs it, so that a test can move it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, Interval, func, literal, type_coerce

from portal.storage.models.base import UtcDateTime


class Clock(Protocol):
    """Two times: this process's own, and the one that all processes of the portal go by."""

    def __call__(self) -> datetime:
        """The time of this process, aware, in UTC: for what one customer's request reads and writes."""

    def shared(self, connection: Connection, ahead: timedelta = timedelta(0)) -> ColumnElement[datetime]:
        """The time by which all processes go, or some time after it: for what one of them does to another one's work.

        An expression for a statement on this connection, so that asking costs no round trip.
        """


class SystemClock:
    """The clock of the machine; where processes on several machines share a database, they go by the database's."""

    def __call__(self) -> datetime:
        """The machine's."""
        return utc_now()

    def shared(self, connection: Connection, ahead: timedelta = timedelta(0)) -> ColumnElement[datetime]:
        """On PostgreSQL the database's; on SQLite the machine's, which is the only one."""
        if connection.dialect.name == "postgresql":
            # One time in the whole of a statement, so that an index can be asked; that of now() may be long past, since
            # it is that of the transaction's beginning.
            return type_coerce(func.statement_timestamp() + literal(ahead, Interval()), UtcDateTime())
        return literal(self() + ahead, UtcDateTime())


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)
