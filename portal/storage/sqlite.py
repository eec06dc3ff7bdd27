"""SQLite with durable commits and a busy timeout; a missing database file is an error and never created."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, ExceptionContext, Table, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from portal.storage.backends import DatabaseUnavailable

BUSY_SECONDS = 5
"""Maximum wait of a writer for another one; then the request is answered with 503."""
LOG_BYTES = 16 * 1024 * 1024
"""The size that a write-ahead log is truncated to after a long read. Normally SQLite restarts the log at 4 MiB."""
READING: Mapping[str, object] = {"sqlite_begin": None}
"""Execution options for reading: without a transaction, as with PostgreSQL."""
WRITING: Mapping[str, object] = {"sqlite_begin": "BEGIN IMMEDIATE"}
WRITING_WITHOUT_WAITING: Mapping[str, object] = {**WRITING, "sqlite_waits": False}
_UNUSABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT})


def engine_options(_url: URL) -> dict[str, object]:
    return {"connect_args": {"timeout": BUSY_SECONDS}, "pool_timeout": BUSY_SECONDS}


def prepare(engine: Engine) -> None:
    _keep_temporary_files_beside(engine.url)
    event.listen(engine, "do_connect", _open_existing_file)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "checkout", _check_same_file)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _disconnect_if_unusable)


def classify(error: BaseException | None) -> type[DatabaseUnavailable] | None:
    """Return what an error means for the database beyond its class."""
    # A damaged page is the only failure of the database without a class of its own.
    return DatabaseUnavailable if type(error) is sqlite3.DatabaseError else None


@contextmanager
def without_time_limit(_connection: Connection) -> Iterator[None]:
    """Do nothing: SQLite has no time limit on statements."""
    yield


def disable_time_limit(_connection: Connection) -> None:
    """Do nothing: SQLite has no time limit on statements."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[Sequence[object]]) -> None:
    """Insert by one statement of the driver: SQLAlchemy's own takes as much time again for each row."""
    processors = [column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect) for column in table.c]
    columns = [
        map(process, values) if process else values
        for process, values in zip(processors, zip(*rows, strict=True), strict=True)
    ]
    marks = ", ".join("?" * len(processors))
    connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES ({marks})", list(zip(*columns, strict=True)))  # noqa: S608 - a table of ours


def accepts_writes(_connection: Connection) -> bool:
    """Return True: only a write would show it, and reads keep working in any case."""
    return True


def scrub(engine: Engine) -> None:
    """Copy the write-ahead log into the database and empty it, unless a reader or a full disk prevents it.

    In the database file deleted rows are overwritten at once (secure_delete).
    """
    with engine.connect() as opened:
        # The driver's connection, because SQLAlchemy would begin a transaction. Writers wait while this waits for
        # readers, so its timeout is a fifth of theirs.
        connection = opened.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - SQLAlchemy's driver for SQLite
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 200}")
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def _keep_temporary_files_beside(url: URL) -> None:
    """Let SQLite write temporary files beside the database: /tmp may be read-only, small, or readable by others.

    For the whole process, and before any thread has a connection, as SQLite requires for this pragma.
    """
    folder = str(Path(url.database or "").absolute().parent).replace("'", "''")
    with closing(sqlite3.connect(":memory:")) as connection, suppress(sqlite3.OperationalError):  # no folder yet
        connection.execute(f"PRAGMA temp_store_directory = '{folder}'")


def _open_existing_file(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    """Open an existing file only: SQLite would create an empty database, as if all customers were lost."""
    arguments[0] = f"file:{quote(str(Path(arguments[0]).absolute()))}?mode=rw"
    options["uri"] = True


def _set_up(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    # Otherwise Python's sqlite3 begins transactions by its own rules.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a successful commit survives a power cut
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp.journal_mode = MEMORY")  # temporary tables end with the connection in any case
    connection.execute("PRAGMA secure_delete = ON")  # overwrite deleted rows: they may contain personal data
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own lowers ASCII only
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    record.info["file"] = path, _identity(path)


def _lower(text: str | None) -> str | None:
    return text and text.lower()


def _check_same_file(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Raise DisconnectionError if the file was replaced: the connection would still write to the old one."""
    path, opened = record.info["file"]
    if _identity(path) != opened:
        raise DisconnectionError("the database file is another one now")


def _disconnect_if_unusable(context: ExceptionContext) -> None:
    """Drop a connection that found the file read-only or damaged: it keeps that state, a new one sees a repair.

    Not on a full disk, where opening a new connection may fail.
    """
    error = context.original_exception
    if isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _UNUSABLE:
        context.is_disconnect = True


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - runs at each checkout, and a Path costs more than the call
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    begin = options.get("sqlite_begin", "BEGIN")
    if begin is None:
        return
    if options.get("sqlite_waits", True):
        connection.exec_driver_sql(begin)
        return
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        connection.exec_driver_sql(begin)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
