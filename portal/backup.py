"""Copies of the embedded database, made while it serves, and what a copy needs when it is put back."""

import os
import sqlite3
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from portal.domain.operations.restore import RestoreCounts, end_open_state
from portal.settings import Settings, sqlite_url
from portal.storage.backends import DatabaseUnavailable
from portal.storage.database import Database, open_database
from portal.storage.schema import DatabaseProblem

_COPY = 1
"""SQLite's user_version of a copy. The portal's own database has 0, so a copy that is put back can be told."""


def back_up(settings: Settings, target: Path) -> None:
    """Write a consistent copy of the database to a new file, whole or not at all; readers and writers go on meanwhile.

    What was deleted is not in it, since SQLite writes it anew row by row. Raises DatabaseProblem, with one line.
    """
    if not settings.is_embedded:
        raise DatabaseProblem("This is no SQLite database: copy it with its own tool, for PostgreSQL pg_dump.")
    source = Path(make_url(settings.database_url).database or "")
    if not source.is_file():
        raise DatabaseProblem(f"There is no database {source} to copy.")
    try:
        str(target).encode()
    except UnicodeEncodeError:
        raise DatabaseProblem("The name of the copy must be UTF-8: SQLite can be told no other.") from None
    if not target.parent.is_dir():
        raise DatabaseProblem(f"There is no folder {target.parent} to put the copy in.")
    if target.exists():
        raise DatabaseProblem(f"{target} is there already: name a new file, since an old copy may be needed yet.")
    # Absolute: SQLite takes a name that begins with file: for an address.
    unfinished = target.absolute().with_name(f"{target.name}.{os.getpid()}.new")
    try:
        _copy(open_database(settings.database_url), unfinished)
        unfinished.rename(target)
        _keep(target.parent)
    except (
        sqlite3.Error,
        DatabaseUnavailable,
    ) as error:  # the one of SQLite's own statement, the other of SQLAlchemy's
        raise DatabaseProblem(f"The database cannot be copied to {target}: {error}.") from None
    finally:
        unfinished.unlink(missing_ok=True)


def settle_copy(database: Database, now: datetime) -> RestoreCounts | None:
    """Do what a copy that was put back needs (domain/operations/restore.py); None when the database is no copy."""
    with database.write() as connection:
        return settle_restored(connection, now) if is_copy(connection) else None


def settle_restored(connection: Connection, now: datetime) -> RestoreCounts:
    """Do what a database that was put back needs, whoever copied it, and no longer take it for a copy."""
    settled = end_open_state(connection, now)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA user_version = 0")
    return settled


def is_copy(connection: Connection) -> bool:
    """Whether the database is a copy that was put back and not settled yet."""
    if connection.dialect.name != "sqlite":
        return False
    return bool(connection.exec_driver_sql("PRAGMA user_version").scalar_one() == _COPY)


def _copy(source: Database, unfinished: Path) -> None:
    # In autocommit: VACUUM cannot run inside a transaction.
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
            raise DatabaseProblem(f"The copy is damaged ({damage}), and so may be the database: look at it first.")
        with copy.engine.connect() as connection:
            # One file, with nothing beside it, that another machine can open.
            connection.connection.driver_connection.execute("PRAGMA journal_mode = DELETE")  # type: ignore[union-attr]
    finally:
        copy.engine.dispose()
    _keep(unfinished)


def _keep(path: Path) -> None:
    """Have the system put a file, or a folder's names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
