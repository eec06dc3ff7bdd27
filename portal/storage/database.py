"""Open transactions on the database, commit them in one place, and translate the driver's errors."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from portal.storage import sqlite
from portal.storage.backends import Backend, DatabaseTimeout, DatabaseUnavailable, TransactionConflict
from portal.storage.circuit_breaker import CircuitBreaker
from portal.threads import CORES

POOL_SIZE = 24
"""Connections that stay open."""
MAX_OVERFLOW = 8 + CORES
"""Additional connections, closed after use. In total one for each thread of `portal serve` (16 for pages, and one for
each hash that is computed or waits), for the mail worker, for its lease, and for a scrape of the metrics.
"""
RETRY_SECONDS = 1.0
"""After a timeout of the database, calls fail at once for this time; then one caller tries again."""
MAX_ATTEMPTS = 3
"""Maximum number of runs of a use case whose transaction conflicts with another one."""
_AFTER_COMMIT = "portal.after_commit"
P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit at the end of the block, then run the actions of `after_commit`; roll back if the block raises."""
    info = connection.info
    pending = info[_AFTER_COMMIT] = list[Callable[[], None]]()
    try:
        with connection.begin():
            yield
    finally:
        info.pop(_AFTER_COMMIT, None)  # a lost connection has an empty dictionary
    for action in pending:
        action()


def after_commit(connection: Connection, action: Callable[[], None]) -> None:
    """Run an action after the commit of the `transaction`.

    It is not run if the commit fails or gets no answer, or if the process ends in between.
    """
    connection.info[_AFTER_COMMIT].append(action)


class Database:
    """Opens transactions on an engine.

    Only `write` and `write_without_waiting` commit. No block may hash a password or use the network. All methods raise
    DatabaseUnavailable within the backend's time limit, and at once for a while after a timeout.
    """

    def __init__(self, engine: Engine, backend: Backend, *, has_time_limit: bool = True) -> None:
        self.engine = engine
        self._backend = backend
        self._has_time_limit = has_time_limit
        self._reading = engine.execution_options(**backend.READING) if has_time_limit else engine
        self._writing = engine.execution_options(**backend.WRITING)
        self._writing_without_waiting = engine.execution_options(**backend.WRITING_WITHOUT_WAITING)
        self._breaker = CircuitBreaker(RETRY_SECONDS)

    def without_time_limit(self) -> "Database":
        """Return the same database without a time limit on statements, for work in the background."""
        return Database(self.engine, self._backend, has_time_limit=False)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection for statements that only read; each may see newer data than the one before."""
        with self._translated_errors(), self._reading.connect() as connection, self._with_time_limit(connection):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes; on SQLite it takes the write lock at once.

        (A SQLite transaction that reads first and writes later fails without waiting if another one wrote meanwhile.)
        """
        with (
            self._translated_errors(),
            self._writing.connect() as connection,
            transaction(connection),
            self._with_time_limit(connection),
        ):
            yield connection

    @contextmanager
    def write_without_waiting(self) -> Iterator[Connection]:
        """Open a transaction as `write` does, but on SQLite raise DatabaseUnavailable at once if there is a writer."""
        with self._translated_errors(), self._writing_without_waiting.connect() as connection, transaction(connection):
            yield connection

    @contextmanager
    def dedicated_connection(self) -> Iterator[Connection]:
        """Open a connection for several transactions in the background, which the caller begins; no time limit.

        It is closed at the end and never returned to the pool, because it may have temporary tables and settings.
        """
        with self._translated_errors(), self.engine.connect() as connection:
            try:
                self._backend.disable_time_limit(connection)
                yield connection
            finally:
                connection.invalidate()

    def insert_rows(self, connection: Connection, table: Table, rows: Sequence[Sequence[object]]) -> None:
        """Insert many rows, each with the values of all columns in the table's order."""
        self._backend.insert_rows(connection, table, rows)

    def accepts_writes(self) -> bool:
        """Return whether the server accepts writes: a PostgreSQL standby (after a failover) does not.

        Always true for SQLite, where only a write would show it.
        """
        with self.read() as connection:
            return self._backend.accepts_writes(connection)

    def scrub(self) -> None:
        """Remove deleted rows from SQLite's write-ahead log too, unless a long read prevents it.

        In the database file they are overwritten at once (secure_delete). PostgreSQL has its vacuum.
        """
        with self._translated_errors():
            self._backend.scrub(self.engine)

    @contextmanager
    def _with_time_limit(self, connection: Connection) -> Iterator[None]:
        if self._has_time_limit:
            yield
        else:
            with self._backend.without_time_limit(connection):
                yield

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        if not self._breaker.may_try():
            raise DatabaseUnavailable("the database did not answer a moment ago")
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            unavailable = self._as_unavailable(error)
            if isinstance(unavailable, DatabaseTimeout):
                self._breaker.failed()
            else:
                self._breaker.succeeded()
            if unavailable:
                raise unavailable from error
            raise
        except BaseException:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()

    def _as_unavailable(self, error: DBAPIError | PoolTimeout) -> DatabaseUnavailable | None:
        """Return the DatabaseUnavailable for an error, or None if the statement is the cause."""
        if isinstance(error, PoolTimeout):
            return DatabaseUnavailable("all connections to the database are in use")
        kind = self._backend.classify(error.orig)
        if kind is None and (isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated):
            kind = DatabaseUnavailable
        words = str(error.orig).strip().partition("\n")[0] or type(error.orig).__name__
        return kind(words) if kind else None


def retried(use_case: Callable[P, T]) -> Callable[P, T]:
    """Retry a use case after a TransactionConflict, up to MAX_ATTEMPTS runs in total.

    Only for a use case that can be repeated: all that it commits before its last transaction are counters.
    """

    @wraps(use_case)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return use_case(*args, **kwargs)
            except TransactionConflict:
                continue
        return use_case(*args, **kwargs)

    return run


def open_database(url: str) -> Database:
    """Return the database of a SQLAlchemy URL; it connects on first use."""
    parsed = make_url(url)
    backend = _backend(parsed)
    engine = create_engine(
        parsed,
        pool_size=POOL_SIZE,
        max_overflow=MAX_OVERFLOW,
        hide_parameters=True,  # keep hashes and addresses out of errors and logs
        **backend.engine_options(parsed),
    )
    backend.prepare(engine)
    return Database(engine, backend)


def _backend(url: URL) -> Backend:
    if url.get_backend_name() == "sqlite":
        return sqlite
    from portal.storage import postgresql  # psycopg and libpq are slow to load, and not needed with SQLite

    return postgresql
