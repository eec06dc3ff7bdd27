"""SQLite, as the portal wants it: durable, patient, and never a new file in place of one that is missing."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import DisconnectionError

from portal.storage.backends import DatabaseUnavailable

BUSY_SECONDS = 5
"""How long a writer waits for another one before the request is answered with 503."""
LOG_BYTES = 16 * 1024 * 1024
"""What is left of a log that a long reader let grow. When nobody is in the way SQLite begins it anew at 4 MiB."""
READING: Mapping[str, Any] = {}
"""Execution options of statements that only read."""
WRITING: Mapping[str, Any] = {"sqlite_begin": "BEGIN IMMEDIATE"}
"""Execution options of a transaction that writes."""
WRITING_WITHOUT_WAITING: Mapping[str, Any] = {**WRITING, "sqlite_waits": False}
"""Of one that writes now or not at all."""
_UNUSABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT})


def engine_options(_url: URL) -> dict[str, Any]:
    """For create_engine."""
    return {"connect_args": {"timeout": BUSY_SECONDS}, "pool_timeout": BUSY_SECONDS}


def prepare(engine: Engine) -> None:
    """Set up whatever connections an engine will make."""
    _keep_temporary_files_beside(engine.url)
    event.listen(engine, "do_connect", _open_what_is_there)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "checkout", _check_that_it_is_still_there)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _leave_what_cannot_be_used)


def classify(error: BaseException | None) -> type[DatabaseUnavailable] | None:
    """Return what an error says of the database that its class does not say."""
    # A damaged page is the one failure of the database that has no class of its own.
    return DatabaseUnavailable if type(error) is sqlite3.DatabaseError else None


@contextmanager
def without_time_limit(_connection: Connection) -> Iterator[None]:
    """Do nothing: SQLite has no time limit on statements."""
    yield


def take_time(_connection: Connection) -> None:
    """Do nothing: SQLite has no time limit on statements."""


def accepts_writes(_connection: Connection) -> bool:
    """Return True: only a write would tell, and reads keep working in any case."""
    return True


def scrub(engine: Engine) -> None:
    """Write what the log holds into the database and empty it, as far as no reader or full disk is in the way.

    In the database itself deleted rows are overwritten at once (secure_delete).
    """
    with engine.connect() as opened:
        # The driver's own connection: SQLAlchemy would begin a transaction. Writers wait while this waits for readers:
        # it must not take all of their time limit.
        connection: Any = opened.connection.driver_connection
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 200}")
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def _keep_temporary_files_beside(url: URL) -> None:
    """Have SQLite spill where the database is: /tmp may be read-only, small, or read by others.

    For the whole process, and before any thread has a connection, which SQLite demands of this pragma.
    """
    folder = str(Path(url.database or "").absolute().parent).replace("'", "''")
    with closing(sqlite3.connect(":memory:")) as connection, suppress(sqlite3.OperationalError):  # no folder yet
        connection.execute(f"PRAGMA temp_store_directory = '{folder}'")


def _open_what_is_there(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    """SQLite would make an empty database where it finds none: what looks like the loss of every customer."""
    arguments[0] = f"file:{quote(str(Path(arguments[0]).absolute()))}?mode=rw"
    options["uri"] = True


def _set_up(connection: Any, record: Any) -> None:
    # Python's sqlite3 opens transactions by its own rules unless it is told to keep its hands off.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a power cut
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten: it may be a customer's
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    record.info["file"] = path, _identity(path)


def _lower(text: str | None) -> str | None:
    return text and text.lower()


def _check_that_it_is_still_there(_connection: object, record: Any, _proxy: object) -> None:
    """A connection goes on writing into a file that was moved away, where nobody will look for it."""
    path, opened = record.info["file"]
    if _identity(path) != opened:
        raise DisconnectionError("the database file is another one now")


def _leave_what_cannot_be_used(context: ExceptionContext) -> None:
    """A connection goes on as it began: closed to writers, or with what it has read of a damaged file in its memory.

    A new one sees that the disk, or the file, was mended. On a full disk there might be no room to open one.
    """
    error = context.original_exception
    if isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _UNUSABLE:
        context.is_disconnect = True


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - at each checkout, and a Path costs more than the call
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("sqlite_waits", True):
        connection.exec_driver_sql(options.get("sqlite_begin", "BEGIN"))
        return
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        connection.exec_driver_sql(options.get("sqlite_begin", "BEGIN"))
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
