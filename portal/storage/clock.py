"""The only source of time, passed as an argument so that tests can change it."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, Interval, func, literal, type_coerce

from portal.storage.models.base import UtcDateTime


class Clock(Protocol):
    """The time of this process, and the time that all processes of the portal share."""

    def __call__(self) -> datetime:
        """Return the time of this process, aware, in UTC: for data of a single request."""

    def shared(self, connection: Connection, ahead: timedelta = timedelta(0)) -> ColumnElement[datetime]:
        """Return the shared time, plus `ahead`: for data that several processes compare, such as leases.

        An SQL expression for a statement on this connection, to save a round trip.
        """


class SystemClock:
    """The clock of the machine; the shared time is the database server's, if there is one."""

    def __call__(self) -> datetime:
        return utc_now()

    def shared(self, connection: Connection, ahead: timedelta = timedelta(0)) -> ColumnElement[datetime]:
        if connection.dialect.name == "postgresql":
            return _server_time(ahead)
        return literal(self() + ahead, UtcDateTime())


@lru_cache(maxsize=64)
def _server_time(ahead: timedelta) -> ColumnElement[datetime]:
    """Build the time of a PostgreSQL server plus `ahead`; kept, since that takes as long as a statement.

    Constant within a statement, so that an index can be used. Not now(): that is the start of the transaction, which
    may be long past.
    """
    return type_coerce(func.statement_timestamp() + literal(ahead, Interval()), UtcDateTime())


def utc_now() -> datetime:
    return datetime.now(UTC)
