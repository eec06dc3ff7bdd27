"""Servers on loopback in processes of their own, their CPU time and their memory."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backends import Backends
from benchmarks.browser import Browser
from benchmarks.cpu import cpu_seconds
from benchmarks.instance import CHECKOUT, PORTAL, Instance
from portal.cli.serve import serve

_THREADS = next(option.default for option in serve.params if option.name == "threads")
"""What `portal serve` takes when it is not told otherwise."""
_START_SECONDS = 60
_STOP_SECONDS = 40


@dataclass(frozen=True)
class Server:
    """A running server, which has answered one page."""

    port: int
    pid: int
    start_cpu_seconds: float
    """The CPU time until the first page was answered."""
    backends: Backends | None = None
    """What the portal uses in place of SQLite and of counters in memory."""

    def browser(self) -> Browser:
        """Return a client of the server."""
        return Browser(self.port)

    def cpu_seconds(self) -> float:
        """Return the user and system CPU time of the process, in nanosecond resolution."""
        return cpu_seconds(self.pid)

    def backend_cpu_seconds(self) -> float:
        """Return the CPU time of PostgreSQL and Redis; 0 without them."""
        return self.backends.cpu_seconds() if self.backends else 0.0

    def memory_mib(self) -> float:
        """Return the resident memory of the process in MiB."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


@contextmanager
def portal_server(instance: Instance) -> Iterator[Server]:
    """Run `portal serve`."""
    port = _free_port()
    with _serving([*PORTAL, "serve", "--port", str(port)], port, instance, "/login") as server:
        yield server


@contextmanager
def bare_server(instance: Instance) -> Iterator[Server]:
    """Run the references (bare.py)."""
    with wsgi_server(instance, sys.executable, "benchmarks.bare") as server:
        yield server


@contextmanager
def wsgi_server(instance: Instance, python: str, module: str, page: str = "/login") -> Iterator[Server]:
    """Run the `create_app` of a module on the portal's WSGI server with the portal's number of threads.

    The server has started when `page` shows a sign-in form.
    """
    port = _free_port()
    options = [f"--listen=127.0.0.1:{port}", f"--threads={_THREADS}", "--call"]
    command = [python, "-m", "waitress", *options, f"{module}:create_app"]
    with _serving(command, port, instance, page) as server:
        yield server


@contextmanager
def portal_worker(instance: Instance) -> Iterator[int]:
    """Run `portal worker`; the id of its process."""
    with _running([*PORTAL, "worker"], instance, instance.path / "worker.log") as process:
        yield process.pid


@contextmanager
def _serving(command: list[str], port: int, instance: Instance, page: str) -> Iterator[Server]:
    log = instance.path / f"server-{port}.log"
    with _running(command, instance, log) as process:
        _wait_until_it_answers(process, port, log, page)
        yield Server(port, process.pid, cpu_seconds(process.pid), instance.backends)


@contextmanager
def _running(command: list[str], instance: Instance, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=instance.environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path, page: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            Browser(port).get(page, 'name="password"')
        except ConnectionError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"A server for the benchmark did not start:\n{log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
