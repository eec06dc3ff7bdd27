"""Transactions: short, explicit, committed in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

SQLITE_BUSY_SECONDS = 5
"""How long a writer waits for another one before the request is answered with 503."""
POOL_SIZE = 24
"""Connections kept open: one for each request thread, the mail worker and its lease, and some to spare."""


class Database:
    """Opens transactions on an engine.

    `write` commits when its block ends and rolls back when it raises; nothing else in the portal commits. No block may
    hash a password or speak to the network.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._writing_at_once = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE", sqlite_waits=False)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; on SQLite it takes the write lock at once.

        A SQLite transaction that reads first and writes later fails without waiting when another writer was quicker.
        """
        with self._writing.begin() as connection:
            yield connection

    @contextmanager
    def write_at_once(self) -> Iterator[Connection]:
        """As `write`, for what may be left undone: on SQLite OperationalError at once when somebody else writes."""
        with self._writing_at_once.begin() as connection:
            yield connection

    def scrub(self) -> None:
        """Leave nothing of deleted rows in SQLite's log, unless somebody reads for so long that it has to wait.

        In the database itself nothing is left of them at any time (secure_delete); PostgreSQL has its vacuum.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection  # past SQLAlchemy, which would begin a transaction
            # Writers wait while it waits for readers: it must not take all of their patience.
            driver.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 200}")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            driver.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")


def open_database(url: str) -> Database:
    """The database at a SQLAlchemy URL; connects at the first use only."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return Database(create_engine(parsed, pool_pre_ping=True, hide_parameters=True))
    engine = create_engine(
        parsed,
        connect_args={"timeout": SQLITE_BUSY_SECONDS},
        pool_size=POOL_SIZE,
        pool_timeout=SQLITE_BUSY_SECONDS,
        hide_parameters=True,  # hashes and addresses stay out of errors, and so out of logs
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Python's sqlite3 opens transactions by its own rules unless it is told to keep its hands off.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten: it may be a customer's


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("sqlite_waits", True):
        connection.exec_driver_sql(options.get("sqlite_begin", "BEGIN"))
        return
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        connection.exec_driver_sql(options.get("sqlite_begin", "BEGIN"))
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")
