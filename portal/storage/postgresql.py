"""PostgreSQL, as the portal wants it: nobody waits for it longer than a moment, and the pool mends itself.

| for                     | at most | kept by                                              |
|-------------------------|---------|------------------------------------------------------|
| a connection            | 2 s     | PatientConnection; twice that for all addresses      |
| a statement             | 2 s     | the server, which then stops working on it           |
| any answer              | 2.4 s   | PatientConnection: a server that stands still        |
| a transaction left idle | 15 s    | the server: its locks stand in everybody's way       |
| a free connection       | 2 s     | the pool                                             |
"""

import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, Self, TypeVar

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import DisconnectionError

from portal.storage.backends import DatabaseTimeout, DatabaseUnavailable, TransactionConflict

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 2
PATIENCE_SECONDS = 2.4
SLOW_FAILURE_SECONDS = 0.5
"""A connection that failed after so long has kept its caller waiting, whatever the reason was in the end."""
IDLE_SECONDS = 15
SESSION = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "standard_conforming_strings": "on",
}
"""What a connection is set to, whatever the server, database or role says. Not in the startup packet, whose `options`
PgBouncer refuses.
"""
RECYCLE_SECONDS = 1800
READING: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT"}
"""Execution options for reading: no transaction to begin and to end, which would be two more round trips."""
WRITING: Mapping[str, Any] = {}
WRITING_WITHOUT_WAITING: Mapping[str, Any] = {}
"""Nothing special: writers wait for rows only."""
_OUTRUN = frozenset({"40001", "40P01"})
"""SQLSTATEs of a serialisation failure and a deadlock."""
_READ_ONLY = "25006"
_UNUSABLE = frozenset({"42P01", "42703", "3D000", "3F000", "42501"})
"""A table, a column, a database or a schema that this code knows and the server does not, or keeps from the portal.

The other states that say something of the server have an OperationalError for their class.
"""
_DAMAGED = "XX"
RV = TypeVar("RV")


class SilentServer(psycopg.OperationalError):
    """The server keeps the connection open and says nothing."""


_NO_ANSWER = (SilentServer, psycopg.errors.ConnectionTimeout)


class PatientConnection(psycopg.Connection[Any]):
    """A connection that is given up when the server does not answer in time.

    A server that stands still cannot keep its own statement time-out, and while its machine lives TCP takes it for
    alive.
    """

    patience: float | None = PATIENCE_SECONDS

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        """Connect to one address within half of the time that is left for all; `connect_timeout` is when that ends.

        The library gives each address of a name the same two seconds or more, however many there are.
        """
        options = conninfo_to_dict(conninfo)
        now = monotonic()
        ends = now + (float(str(options.pop("connect_timeout"))) - now) / 2
        connecting = super()._connect_gen(make_conninfo("", **options))
        try:
            awaited = next(connecting)
            while True:
                ready = yield awaited  # resumed ten times a second, whatever comes
                if monotonic() >= ends:
                    raise psycopg.errors.ConnectionTimeout("the database does not accept the connection in time")
                awaited = connecting.send(ready)
        except StopIteration as connected:
            connection: Self = connected.value
            return connection

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer; raises SilentServer, with the connection closed, when none comes."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.close()
            raise SilentServer("the database does not answer") from None


def engine_options(url: URL) -> dict[str, Any]:
    """For create_engine. What the URL itself says goes first."""
    own = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": int(PATIENCE_SECONDS * 1000),
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
        # Whatever the server's default is: the statements are written for this one.
        "isolation_level": "READ COMMITTED",
        "pool_timeout": CONNECT_SECONDS,
        "pool_recycle": RECYCLE_SECONDS,
    }


def prepare(engine: Engine) -> None:
    """Set up whatever connections an engine will make."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _check_that_it_is_open)
    event.listen(engine, "handle_error", _leave_a_server_that_takes_no_writes)


@contextmanager
def without_time_limit(connection: Connection) -> Iterator[None]:
    """Inside, and to the end of the transaction, statements may take as long as they will."""
    driver_connection: Any = connection.connection.driver_connection
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    driver_connection.patience = None
    try:
        yield
    finally:
        driver_connection.patience = PATIENCE_SECONDS


def take_time(connection: Connection) -> None:
    """From now on, statements of a connection may take as long as they will."""
    driver_connection: Any = connection.connection.driver_connection
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.commit()
    driver_connection.patience = None


def accepts_writes(connection: Connection) -> bool:
    """Whether the server takes writes; if not, its connection is left, since another server may be found by now."""
    if connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "off":
        return True
    connection.invalidate()
    return False


def classify(error: BaseException | None) -> type[DatabaseUnavailable] | None:
    """Return what an error says of the server that its class does not say."""
    if isinstance(error, _NO_ANSWER):
        return DatabaseTimeout
    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate or ""
    if state in _OUTRUN:
        return TransactionConflict
    return DatabaseUnavailable if state in _UNUSABLE or state.startswith(_DAMAGED) else None


def scrub(_engine: Engine) -> None:
    """Do nothing: PostgreSQL has its vacuum."""


def _connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> PatientConnection:
    """Connect; raises ConnectionTimeout if the caller waited for nothing, such as for a name server that is silent."""
    begins = monotonic()
    seconds = float(options["connect_timeout"]) or CONNECT_SECONDS  # 0, to libpq, is no limit
    try:
        connection = PatientConnection.connect(*arguments, **{**options, "connect_timeout": begins + 2 * seconds})
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


def _set_up_session(connection: PatientConnection, given: str) -> None:
    """Set the session up in one round trip, but for what the URL's `options` set."""
    values = [f"set_config('{name}', '{value}', false)" for name, value in SESSION.items() if name not in given]
    connection.autocommit = True
    (backend_pid, *_) = connection.execute(", ".join(["SELECT pg_backend_pid()", *values]).encode()).fetchone() or (0,)
    connection.autocommit = False
    if backend_pid != connection.info.backend_pid:
        # A pooler stands between: the next transaction may run on a connection that has prepared nothing.
        connection.prepare_threshold = None


def _check_that_it_is_open(connection: Any, _record: object, _proxy: object) -> None:
    """An idle connection has nothing to read but its end: a look that costs no round trip, unlike a ping."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError("the server has closed the connection")


def _leave_a_server_that_takes_no_writes(context: ExceptionContext) -> None:
    """After a failover the old connections lead to what is a standby now; new ones find their way."""
    if isinstance(context.original_exception, psycopg.Error) and context.original_exception.sqlstate == _READ_ONLY:
        context.is_disconnect = True
