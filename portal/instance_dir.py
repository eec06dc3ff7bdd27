"""The instance folder: the portal's own files, closed to other users of the machine, and never lost by surprise."""

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
_MARKER_TEXT = "Without this file, a start that finds no database would make a new, empty one.\n"
_OWN_NAMES = frozenset(
    {KEY_FILE, LOCK_FILE, SERVING_FILE, MARKER_FILE, SETTINGS_FILE, "mailbox", TEMPLATES, TRANSLATIONS}
    | {DATABASE_FILE + ending for ending in ("", "-wal", "-shm", "-journal")}
    | {"README.md", ".gitignore"}  # a checkout's
)
_SQLITE_BEGINNING = b"SQLite format 3\0"
_KEY = re.compile(r"[A-Za-z0-9_-]{64}", re.ASCII)
_PRIVATE_FOLDER, _PRIVATE_FILE, _FOR_OTHERS = 0o700, 0o600, 0o077


def secret_key(settings: Settings) -> str:
    """The configured key, else the instance's own, made at the first start; raises WrongSetting when it cannot be had.

    Any number of processes that start at once end with the same key, and none ever reads half of one.
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
                f"holds a {KEY_FILE} that is empty or damaged: put a copy of it back, or remove it to have a new one"
                " made (which signs everybody out and ends every mailed link)",
            )
        _close_to_others(path, _PRIVATE_FILE)
    return key


def prepare_database(settings: Settings) -> None:
    """Make the database ready to be served, or raise DatabaseProblem with one line that says what to do.

    On SQLite a new instance gets its database and an older one is migrated, by one process at a time; an instance that
    had a database and lost it is refused, since an empty one in its place would look like the loss of every customer.
    A copy that `portal backup` made and somebody put back is settled first (`portal after-restore`).
    Any other database is only looked at: on several machines it is the operator who says when it is migrated.
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
                    f"The database {path} is gone or empty, though this instance had one: put the file back,"
                    " or run `portal db upgrade` to begin anew."
                )
            _upgrade_file(settings, path, database)
            if settled := settle_copy(database, utc_now()):
                _log.warning("the database is a copy that was put back: %s", settled)


def serves_alone(settings: Settings) -> bool:
    """Whether no other portal serves from this instance. From now on this one does, until it ends."""
    with _prepared(settings):
        # Never closed: the system frees it when the process ends.
        descriptor = os.open(settings.instance_path / SERVING_FILE, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_alone = True
        except BlockingIOError:
            is_alone = False
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return is_alone


def upgrade_database(settings: Settings) -> None:
    """Bring the database to the code's schema, making it first where there is none: the operator asked for it."""
    with _prepared(settings), _opened(settings) as database:
        if not settings.is_embedded:
            schema.upgrade(database)
            return
        with _locked(settings):
            _upgrade_file(settings, _sqlite_file(settings), database)


def _upgrade_file(settings: Settings, path: Path, database: Database) -> None:
    # Before SQLite opens it: the files beside it (-wal, -shm) get the mode that the database has then.
    try:
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, _PRIVATE_FILE))
        if problem := _problem_of_file(path):
            raise DatabaseProblem(f"The database {path} cannot be used: {problem}.")
        _close_to_others(path, _PRIVATE_FILE)
    except OSError as error:
        raise DatabaseProblem(f"The database {path} cannot be used: {error.strerror}.") from None
    with database.read() as connection:
        damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if damage != "ok":
        raise DatabaseProblem(f"The database {path} is damaged ({damage}): put a backup in its place.")
    schema.upgrade(database)
    if not _marker(settings).exists():
        _write_whole(_marker(settings), _MARKER_TEXT)


def _problem_of_file(path: Path) -> str | None:
    """Why a path is no SQLite database and no empty file, which becomes one: it may be anybody's, and is not touched.

    How a database begins: https://www.sqlite.org/fileformat.html, section 1.3.1.
    """
    if path.is_dir():
        return "it is a folder"
    if not path.is_file():
        return "it is no regular file"
    with path.open("rb") as file:
        beginning = file.read(len(_SQLITE_BEGINNING))
    return None if beginning in (b"", _SQLITE_BEGINNING) else "the file is not a database"


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
    """The database, closed again at the end: the app opens it for itself."""
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
    """The instance folder, there and closed to others; what fails inside names the setting.

    One in which there is more than the portal's own stays as it is, since others may have to do with that: the files of
    the portal are closed in any case.
    """
    folder = settings.instance_path
    # For every file from now on, whoever writes it: mailbox, backups, SQLite's own.
    os.umask(_FOR_OTHERS)
    try:
        folder.mkdir(_PRIVATE_FOLDER, parents=True, exist_ok=True)
        if _OWN_NAMES.issuperset(path.name for path in folder.iterdir()):
            _close_to_others(folder, _PRIVATE_FOLDER)
        yield
    except OSError as error:
        raise WrongSetting("instance_path", f"cannot be used: {error.strerror}: {error.filename or folder}") from None


def _close_to_others(path: Path, mode: int) -> None:
    if path.stat().st_mode & _FOR_OTHERS:
        path.chmod(mode)


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """Held by one process of this instance at a time; freed by the system when it dies."""
    descriptor = os.open(settings.instance_path / LOCK_FILE, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, whatever dies meanwhile. The caller holds the lock."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)  # left by a process that was killed
    try:
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE_FILE), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
