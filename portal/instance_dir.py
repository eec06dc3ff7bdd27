"""The instance folder: create and protect the portal's own files."""

import fcntl
import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from portal.backup import settle_copy
from portal.customisation import TEMPLATES, TRANSLATIONS
from portal.settings import DATABASE_FILE, SETTINGS_FILE, Settings, WrongSetting
from portal.storage import schema
from portal.storage.backends import DatabaseUnavailable
from portal.storage.clock import utc_now
from portal.storage.database import Database, open_database
from portal.storage.schema import DatabaseProblem

_log = logging.getLogger("portal.instance")

KEY_FILE = "secret.key"
LOCK_FILE = "instance.lock"
SERVING_FILE = "serving.lock"
MARKER_FILE = "database-was-made"
_MARKER_TEXT = "Without this file, a start that finds no database creates a new, empty one.\n"
_OWN_NAMES = frozenset(
    {KEY_FILE, LOCK_FILE, SERVING_FILE, MARKER_FILE, SETTINGS_FILE, "mailbox", TEMPLATES, TRANSLATIONS}
    | {DATABASE_FILE + ending for ending in ("", "-wal", "-shm", "-journal")}
    | {"README.md", ".gitignore"}  # in a checkout
)
_SQLITE_SIGNATURE = b"SQLite format 3\0"
"""https://www.sqlite.org/fileformat.html, section 1.3.1."""
_KEY = re.compile(r"[A-Za-z0-9_-]{64}", re.ASCII)
_PRIVATE_FOLDER, _PRIVATE_FILE, _OTHERS_BITS = 0o700, 0o600, 0o077


def secret_key(settings: Settings) -> str:
    """Return SECRET_KEY, or the instance's own key, which the first start creates. Raises WrongSetting.

    Processes that start at the same time get the same key, and none reads an unfinished file.
    """
    if settings.secret_key is not None:
        return settings.secret_key
    path = settings.instance_path / KEY_FILE
    with _prepared(settings):
        if not path.exists():
            with _locked(settings):
                if not path.exists():
                    _write_whole(path, secrets.token_urlsafe(48))
        key = path.read_bytes().decode("ascii", "replace").strip()
        if not _KEY.fullmatch(key):
            raise WrongSetting(
                "instance_path",
                f"has a {KEY_FILE} that is empty or damaged; restore a copy of the file, or remove it to create a new"
                " key (which signs every customer out and ends every emailed link)",
            )
        _remove_access_of_others(path, _PRIVATE_FILE)
    return key


def prepare_database(settings: Settings) -> None:
    """Prepare the database for serving; raises DatabaseProblem with one line that says what to do.

    On SQLite this creates the database of a new instance and migrates an older one, one process at a time, and makes a
    restored copy of `portal backup` safe to serve. It refuses an instance that has lost its database, since customers
    would seem lost with an empty one. The schema of PostgreSQL is only checked: with several machines, the operator
    decides when to migrate.
    """
    with _prepared(settings), _opened(settings) as database:
        if not settings.is_embedded:
            if problem := schema.current_problem(database):
                raise DatabaseProblem(problem)
            return
        path = _sqlite_file(settings)
        with _locked(settings):
            if _marker(settings).exists() and not _has_content(path, database):
                raise DatabaseProblem(
                    f"The database {path} is missing or empty, but this instance had one; restore the file,"
                    " or run `portal db upgrade` to create a new one."
                )
            _upgrade_file(settings, path, database)
            if settled := settle_copy(database, utc_now()):
                _log.warning("database: a restored copy; %s", settled)


def serves_alone(settings: Settings) -> bool:
    """Return whether no other process serves from this instance, and register this one until it ends."""
    with _prepared(settings):
        # Never closed: the system releases the lock when the process ends.
        descriptor = os.open(settings.instance_path / SERVING_FILE, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_alone = True
        except BlockingIOError:
            is_alone = False
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return is_alone


def upgrade_database(settings: Settings) -> None:
    """Migrate the database to this version's schema; on SQLite, create it first if there is none."""
    with _prepared(settings), _opened(settings) as database:
        if not settings.is_embedded:
            schema.upgrade(database)
            return
        with _locked(settings):
            _upgrade_file(settings, _sqlite_file(settings), database)


def _upgrade_file(settings: Settings, path: Path, database: Database) -> None:
    # Before SQLite opens the database, whose mode the files beside it (-wal, -shm) get.
    try:
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, _PRIVATE_FILE))
        if problem := _problem_of_file(path):
            raise DatabaseProblem(f"The database {path} cannot be used: {problem}.")
        _remove_access_of_others(path, _PRIVATE_FILE)
    except OSError as error:
        raise DatabaseProblem(f"The database {path} cannot be used: {error.strerror}.") from None
    with database.read() as connection:
        damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if damage != "ok":
        raise DatabaseProblem(f"The database {path} is damaged ({damage}); restore a backup.")
    schema.upgrade(database)
    if not _marker(settings).exists():
        _write_whole(_marker(settings), _MARKER_TEXT)


def _problem_of_file(path: Path) -> str | None:
    """Return why a path is neither a SQLite database nor an empty file, or None; such a file is not changed."""
    if path.is_dir():
        return "it is a folder"
    if not path.is_file():
        return "it is not a regular file"
    with path.open("rb") as file:
        signature = file.read(len(_SQLITE_SIGNATURE))
    return None if signature in (b"", _SQLITE_SIGNATURE) else "the file is not a database"


def _has_content(path: Path, database: Database) -> bool:
    return path.exists() and path.stat().st_size > 0 and schema.has_schema(database)


def _marker(settings: Settings) -> Path:
    return settings.instance_path / MARKER_FILE


def _sqlite_file(settings: Settings) -> Path:
    name = make_url(settings.database_url).database or ""
    if name.startswith("file:"):
        raise WrongSetting("database_url", "must name the SQLite file by its path, not as file:")
    return Path(name)


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    """Open the database for the block; the app opens it again for itself."""
    database = open_database(settings.database_url)
    try:
        yield database
    except DatabaseUnavailable as error:
        if not settings.is_embedded:
            raise
        raise DatabaseProblem(f"The database {_sqlite_file(settings)} cannot be used: {error}.") from None
    finally:
        database.engine.dispose()


@contextmanager
def _prepared(settings: Settings) -> Iterator[None]:
    """Create the instance folder without access for other users; an OSError in the block becomes WrongSetting.

    A folder with other files keeps its mode, since other programs may use it; the portal's files are private anyway.
    """
    folder = settings.instance_path
    # For every later file, also of SQLite and the mailbox.
    os.umask(_OTHERS_BITS)
    try:
        folder.mkdir(_PRIVATE_FOLDER, parents=True, exist_ok=True)
        if _OWN_NAMES.issuperset(path.name for path in folder.iterdir()):
            _remove_access_of_others(folder, _PRIVATE_FOLDER)
        yield
    except OSError as error:
        raise WrongSetting("instance_path", f"cannot be used: {error.strerror}: {error.filename or folder}") from None


def _remove_access_of_others(path: Path, mode: int) -> None:
    if path.stat().st_mode & _OTHERS_BITS:
        path.chmod(mode)


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """Hold the lock that one process of this instance can have; the system releases it when the process ends."""
    descriptor = os.open(settings.instance_path / LOCK_FILE, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_whole(path: Path, text: str) -> None:
    """Write a file as a whole or not at all, even if the process is killed. The caller holds the lock."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)  # of a process that was killed
    try:
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE_FILE), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
