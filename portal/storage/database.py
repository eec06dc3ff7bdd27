"""Transactions: short, explicit, committed in one place; and what is said when the database does not do its part."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from portal.storage import sqlite
from portal.storage.backends import Backend, DatabaseTimeout, DatabaseUnavailable, TransactionConflict
from portal.storage.circuit_breaker import CircuitBreaker
from portal.threads import CORES

POOL_SIZE = 24
"""Connections kept open."""
MAX_OVERFLOW = 8 + CORES
"""Those beyond, closed after use. In all, one for each thread of `portal serve` (16 more than may hash at a time),
one for the mail worker, for its lease, and for a scrape of the metrics.
"""
REST_SECONDS = 1.0
"""How long nobody waits for a database that has just kept somebody waiting in vain; then one caller tries again."""
TRIES = 3
"""How often a use-case is begun that another one's transaction keeps from its end."""
_AFTER_COMMIT = "portal.after_commit"
P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit when the block ends, and then do what was put off with `after_commit`; roll back when it raises."""
    info = connection.info
    waiting = info[_AFTER_COMMIT] = list[Callable[[], None]]()
    try:
        with connection.begin():
            yield
    finally:
        info.pop(_AFTER_COMMIT, None)  # a connection that was lost has forgotten it
    for act in waiting:
        act()


def after_commit(connection: Connection, act: Callable[[], None]) -> None:
    """Put something off until a `transaction` is committed; it is never done if that fails or gets no answer.

    Nor if the process ends in between.
    """
    connection.info[_AFTER_COMMIT].append(act)


class Database:
    """Opens transactions on an engine.

    `write` commits when its block ends and rolls back when it raises; nothing else in the portal commits. No block may
    hash a password or speak to the network. Both raise DatabaseUnavailable within the backend's time limit, and at once
    while the database is known not to answer.
    """

    def __init__(self, engine: Engine, backend: Backend, *, has_time_limit: bool = True) -> None:
        self.engine = engine
        self._backend = backend
        self._has_time_limit = has_time_limit
        self._reading = engine.execution_options(**backend.READING) if has_time_limit else engine
        self._writing = engine.execution_options(**backend.WRITING)
        self._writing_without_waiting = engine.execution_options(**backend.WRITING_WITHOUT_WAITING)
        self._breaker = CircuitBreaker(REST_SECONDS)

    def without_time_limit(self) -> "Database":
        """The same database for work that nobody waits for: its statements may take their time."""
        return Database(self.engine, self._backend, has_time_limit=False)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """For statements that only read; what one sees may be newer than what the one before it saw."""
        with self._translated(), self._reading.connect() as connection, self._paced(connection):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; on SQLite it takes the write lock at once.

        A SQLite transaction that reads first and writes later fails without waiting when another writer was quicker.
        """
        with (
            self._translated(),
            self._writing.connect() as connection,
            transaction(connection),
            self._paced(connection),
        ):
            yield connection

    @contextmanager
    def write_without_waiting(self) -> Iterator[Connection]:
        """As `write`, for what may be left undone: on SQLite DatabaseUnavailable at once when somebody else writes."""
        with self._translated(), self._writing_without_waiting.connect() as connection, transaction(connection):
            yield connection

    @contextmanager
    def own_connection(self) -> Iterator[Connection]:
        """One connection for a work of several transactions, which it begins itself, and that nobody waits for.

        Its temporary tables go with it, and whatever else was set on it: it is closed, and never given to anybody else.
        """
        with self._translated(), self.engine.connect() as connection:
            try:
                self._backend.take_time(connection)
                yield connection
            finally:
                connection.invalidate()

    def accepts_writes(self) -> bool:
        """Whether PostgreSQL takes writes: a standby, as a failover leaves one behind, does not.

        Of SQLite a write alone would tell, and it serves whoever reads in any case.
        """
        with self.read() as connection:
            return self._backend.accepts_writes(connection)

    def scrub(self) -> None:
        """Leave nothing of deleted rows in SQLite's log, unless somebody reads for so long that it has to wait.

        In the database itself nothing is left of them at any time (secure_delete); PostgreSQL has its vacuum.
        """
        with self._translated():
            self._backend.scrub(self.engine)

    @contextmanager
    def _paced(self, connection: Connection) -> Iterator[None]:
        if self._has_time_limit:
            yield
        else:
            with self._backend.without_time_limit(connection):
                yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if not self._breaker.may_try():
            raise DatabaseUnavailable("the database did not answer a moment ago")
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            away = self._away(error)
            if isinstance(away, DatabaseTimeout):
                self._breaker.failed()
            else:
                self._breaker.succeeded()
            if away:
                raise away from error
            raise
        except BaseException:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()

    def _away(self, error: DBAPIError | PoolTimeout) -> DatabaseUnavailable | None:
        """Return what an error means when it says something of the database and not of the statement."""
        if isinstance(error, PoolTimeout):
            return DatabaseUnavailable("all connections to the database are in use")
        kind = self._backend.classify(error.orig)
        if kind is None and (isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated):
            kind = DatabaseUnavailable
        words = str(error.orig).strip().partition("\n")[0] or type(error.orig).__name__
        return kind(words) if kind else None


def retried(use_case: Callable[P, T]) -> Callable[P, T]:
    """Begin a use-case anew when another transaction was in its way, up to TRIES times in all.

    It must be one that may be begun again: whatever it commits before its last transaction is a count.
    """

    @wraps(use_case)
    def begin(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES - 1):
            try:
                return use_case(*args, **kwargs)
            except TransactionConflict:
                continue
        return use_case(*args, **kwargs)

    return begin


def open_database(url: str) -> Database:
    """The database at a SQLAlchemy URL; connects at the first use only."""
    parsed = make_url(url)
    backend = _backend(parsed)
    engine = create_engine(
        parsed,
        pool_size=POOL_SIZE,
        max_overflow=MAX_OVERFLOW,
        hide_parameters=True,  # hashes and addresses stay out of errors, and so out of logs
        **backend.engine_options(parsed),
    )
    backend.prepare(engine)
    return Database(engine, backend)


def _backend(url: URL) -> Backend:
    if url.get_backend_name() == "sqlite":
        return sqlite
    from portal.storage import postgresql  # loads psycopg and libpq, which a portal on SQLite does without

    return postgresql
