"""PostgreSQL with a time limit for every wait, and a connection pool that recovers by itself.

| wait for            | limit | enforced by                                                |
|---------------------|-------|------------------------------------------------------------|
| a connection        | 2 s   | TimedConnection; 4 s for all addresses of a name           |
| a statement         | 2 s   | the server, which cancels the statement                    |
| any answer          | 2.4 s | TimedConnection, for a server that hangs                   |
| an idle transaction | 15 s  | the server, because its locks block other transactions     |
| a free connection   | 2 s   | the pool                                                   |
"""

import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, Self, TypeVar

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Engine, ExceptionContext, Table, event
from sqlalchemy.exc import DisconnectionError

from portal.storage.backends import DatabaseTimeout, DatabaseUnavailable, TransactionConflict

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 2
ANSWER_SECONDS = 2.4
SLOW_FAILURE_SECONDS = 0.5
"""A failure to connect that took longer than this counts as a timeout, whatever its error is."""
IDLE_SECONDS = 15
SESSION = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "standard_conforming_strings": "on",
}
"""The session parameters of each connection, whatever the defaults of server, database or role. Not in the startup
packet, because PgBouncer rejects its `options`.
"""
RECYCLE_SECONDS = 1800
READING: Mapping[str, object] = {"isolation_level": "AUTOCOMMIT"}
"""Execution options for reading: without a transaction, which saves two round trips."""
WRITING: Mapping[str, object] = {}
WRITING_WITHOUT_WAITING: Mapping[str, object] = {}
"""No special options: writers wait for locked rows only."""
_CONFLICTS = frozenset({"40001", "40P01"})
"""The SQLSTATEs of a serialization failure and a deadlock."""
_READ_ONLY = "25006"
_UNUSABLE = frozenset({"42P01", "42703", "3D000", "3F000", "42501"})
"""The SQLSTATEs of a missing table, column, database or schema, and of a missing privilege.

Other states that mean an unavailable server have the class OperationalError.
"""
_DAMAGED = "XX"
RV = TypeVar("RV")


class ServerNotResponding(psycopg.OperationalError):
    """The server keeps the connection open but does not answer."""


_NO_ANSWER = (ServerNotResponding, psycopg.errors.ConnectionTimeout)


class TimedConnection(psycopg.Connection[Any]):
    """A connection that is closed if the server does not answer in time.

    A server that hangs cannot enforce its own statement timeout, and TCP keepalive is answered by its machine.
    """

    answer_seconds: float | None = ANSWER_SECONDS

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        """Connect to one address within half of the remaining time; here `connect_timeout` is the end of that time.

        The library allows at least two seconds for each address of a name, however many there are.
        """
        options = conninfo_to_dict(conninfo)
        now = monotonic()
        ends = now + (float(str(options.pop("connect_timeout"))) - now) / 2
        connecting = super()._connect_gen(make_conninfo("", **options))
        try:
            awaited = next(connecting)
            while True:
                ready = yield awaited  # resumed at least ten times a second
                if monotonic() >= ends:
                    raise psycopg.errors.ConnectionTimeout("the database does not accept the connection in time")
                awaited = connecting.send(ready)
        except StopIteration as connected:
            connection: Self = connected.value
            return connection

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer; on a timeout close the connection and raise ServerNotResponding."""
        try:
            return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.close()
            raise ServerNotResponding("the database does not answer") from None


def engine_options(url: URL) -> dict[str, Any]:
    """Return the arguments for create_engine; parameters of the URL take precedence."""
    own = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": int(ANSWER_SECONDS * 1000),
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "application_name": "portal",
    }
    return {
        "connect_args": {
            **{name: value for name, value in own.items() if name not in url.query},
            "client_encoding": "UTF8",
        },
        # Independent of the server's default, because the statements rely on this level.
        "isolation_level": "READ COMMITTED",
        "pool_timeout": CONNECT_SECONDS,
        "pool_recycle": RECYCLE_SECONDS,
    }


def prepare(engine: Engine) -> None:
    """Register the event listeners of an engine."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _check_open)
    event.listen(engine, "handle_error", _disconnect_from_read_only_server)


@contextmanager
def without_time_limit(connection: Connection) -> Iterator[None]:
    """Disable the time limit of statements until the end of the transaction."""
    driver_connection = _timed_connection(connection)
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    driver_connection.answer_seconds = None
    try:
        yield
    finally:
        driver_connection.answer_seconds = ANSWER_SECONDS


def disable_time_limit(connection: Connection) -> None:
    """Disable the time limit of statements of a connection for good."""
    driver_connection = _timed_connection(connection)
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.commit()
    driver_connection.answer_seconds = None


def insert_rows(connection: Connection, table: Table, rows: Sequence[Sequence[object]]) -> None:
    """Insert by COPY."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - SQLAlchemy's driver for PostgreSQL
    names = ", ".join(f'"{column.name}"' for column in table.c)
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def accepts_writes(connection: Connection) -> bool:
    """Return whether the server accepts writes; if not, close the connection: a new one may find the primary server."""
    if connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "off":
        return True
    connection.invalidate()
    return False


def classify(error: BaseException | None) -> type[DatabaseUnavailable] | None:
    """Return what an error means for the server beyond its class."""
    if isinstance(error, _NO_ANSWER):
        return DatabaseTimeout
    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate or ""
    if state in _CONFLICTS:
        return TransactionConflict
    return DatabaseUnavailable if state in _UNUSABLE or state.startswith(_DAMAGED) else None


def scrub(_engine: Engine) -> None:
    """Do nothing: PostgreSQL has its vacuum."""


def _timed_connection(connection: Connection) -> TimedConnection:
    driver_connection = connection.connection.driver_connection
    assert isinstance(driver_connection, TimedConnection)  # noqa: S101 - `_connect` makes no other
    return driver_connection


def _connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> TimedConnection:
    """Connect; raises ConnectionTimeout for any slow failure, such as of a name server that does not answer."""
    begins = monotonic()
    seconds = float(options["connect_timeout"]) or CONNECT_SECONDS  # 0, to libpq, is no limit
    try:
        connection = TimedConnection.connect(*arguments, **{**options, "connect_timeout": begins + 2 * seconds})
        try:
            _set_up_session(connection, options.get("options", ""))
        except BaseException:
            connection.close()
            raise
        return connection
    except UnicodeError:
        raise psycopg.OperationalError("the database cannot be found: no host can have this name") from None
    except psycopg.OperationalError as error:
        if monotonic() - begins < SLOW_FAILURE_SECONDS:
            raise
        raise psycopg.errors.ConnectionTimeout(str(error)) from None


def _set_up_session(connection: TimedConnection, given: str) -> None:
    """Set the parameters of a session in one round trip, except those in the URL's `options`."""
    values = [f"set_config('{name}', '{value}', false)" for name, value in SESSION.items() if name not in given]
    connection.autocommit = True
    (backend_pid, *_) = connection.execute(", ".join(["SELECT pg_backend_pid()", *values]).encode()).fetchone() or (0,)
    connection.autocommit = False
    if backend_pid != connection.info.backend_pid:
        # A pooler is in between: the next transaction may run on a server connection without prepared statements.
        connection.prepare_threshold = None


def _check_open(connection: TimedConnection, _record: object, _proxy: object) -> None:
    """Raise DisconnectionError for a closed connection: an idle one is readable only at its end. Saves a ping."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError("the server has closed the connection")


def _disconnect_from_read_only_server(context: ExceptionContext) -> None:
    """Drop connections to a server that has become a standby by a failover; new ones go to the primary server."""
    if isinstance(context.original_exception, psycopg.Error) and context.original_exception.sqlstate == _READ_ONLY:
        context.is_disconnect = True
