"""Back up the SQLite database while it is in use, and make a restored copy safe to serve."""

import os
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import cast

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from portal.domain.operations.restore import RestoreCounts, end_open_state
from portal.settings import Settings, sqlite_url
from portal.storage.backends import DatabaseUnavailable
from portal.storage.database import Database, open_database
from portal.storage.schema import DatabaseProblem

_COPY = 1
"""SQLite's user_version of a copy; that of the portal's own database is 0."""


def back_up(settings: Settings, target: Path) -> None:
    """Write a consistent copy of the database to a new file, as a whole or not at all. Reads and writes keep working.

    The copy has no deleted data, since SQLite writes each row anew. Raises DatabaseProblem with a one-line message.
    """
    if not settings.is_embedded:
        raise DatabaseProblem("The database is not SQLite; copy it with its own tool, such as pg_dump.")
    source = Path(make_url(settings.database_url).database or "")
    if not source.is_file():
        raise DatabaseProblem(f"{source}: there is no such database to copy; check PORTAL_DATABASE_URL.")
    try:
        str(target).encode()
    except UnicodeEncodeError:
        raise DatabaseProblem("The name of the copy is not UTF-8, which SQLite needs; choose another.") from None
    if not target.parent.is_dir():
        raise DatabaseProblem(f"{target.parent}: there is no such folder for the copy; create it.")
    if target.exists():
        raise DatabaseProblem(f"{target}: the file exists already; choose the name of a new file.")
    # Absolute, since SQLite reads a name that begins with "file:" as a URI.
    unfinished = target.absolute().with_name(f"{target.name}.{os.getpid()}.new")
    try:
        _copy(open_database(settings.database_url), unfinished)
        unfinished.rename(target)
        _fsync(target.parent)
    except (sqlite3.Error, DatabaseUnavailable) as error:  # VACUUM runs on the driver, other statements on SQLAlchemy
        raise DatabaseProblem(f"The database cannot be copied to {target}: {error}.") from None
    finally:
        unfinished.unlink(missing_ok=True)


def settle_copy(database: Database, now: datetime) -> RestoreCounts | None:
    """Make a restored copy safe to serve (domain/operations/restore.py); return None when the database is no copy."""
    with database.write() as connection:
        return settle_restored(connection, now) if is_copy(connection) else None


def settle_restored(connection: Connection, now: datetime) -> RestoreCounts:
    """Make a restored database safe to serve, however it was copied, and remove the mark of a copy."""
    settled = end_open_state(connection, now)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA user_version = 0")
    return settled


def is_copy(connection: Connection) -> bool:
    """Return whether the database is a restored copy that has not been made safe yet."""
    if connection.dialect.name != "sqlite":
        return False
    return bool(connection.exec_driver_sql("PRAGMA user_version").scalar_one() == _COPY)


def _copy(source: Database, unfinished: Path) -> None:
    # On the driver's connection, in autocommit mode: VACUUM cannot run inside a transaction.
    try:
        with source.engine.connect() as connection:
            driver: object = connection.connection.driver_connection
            driver.execute("VACUUM INTO ?", (str(unfinished),))  # type: ignore[attr-defined] # sqlite3's own connection
    finally:
        source.engine.dispose()
    copy = open_database(sqlite_url(unfinished))
    try:
        with copy.write() as connection:
            connection.exec_driver_sql(f"PRAGMA user_version = {_COPY}")
            damage = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if damage != "ok":
            raise DatabaseProblem(f"The copy is damaged ({damage}); check the database, which may be damaged too.")
        with copy.engine.connect() as connection:
            # A single file, without the WAL beside it.
            driver = cast(sqlite3.Connection, connection.connection.driver_connection)
            driver.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.engine.dispose()
    _fsync(unfinished)


def _fsync(path: Path) -> None:
    """Write a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
