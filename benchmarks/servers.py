"""Servers on loopback in processes of their own, and their CPU time."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.browser import Browser
from benchmarks.instance import Instance

THREADS = 16
_START_SECONDS = 30
_STOP_SECONDS = 40
_CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    pid: int

    def browser(self) -> Browser:
        """Return a client of the server."""
        return Browser(self.port)

    def cpu_seconds(self) -> float:
        """Return the user and system CPU time of the process, in nanosecond resolution."""
        # The id of another process's CPU clock, as clock_getcpuclockid(3) computes it; /proc/*/stat has steps of 10 ms,
        # in which a server renders twenty pages.
        return time.clock_gettime(~self.pid << 3 | 2)


@contextmanager
def portal_server(instance: Instance) -> Iterator[Server]:
    """Run `portal serve`."""
    port = _free_port()
    code = "from portal.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", str(port), "--threads", str(THREADS)]
    with _serving(command, port, instance.environment, instance.path) as server:
        yield server


@contextmanager
def bare_server(instance: Instance) -> Iterator[Server]:
    """Run the reference (bare.py) on the same WSGI server with the same number of threads."""
    port = _free_port()
    options = [f"--listen=127.0.0.1:{port}", f"--threads={THREADS}", "--call"]
    command = [sys.executable, "-m", "waitress", *options, "benchmarks.bare:create_app"]
    with _serving(command, port, instance.environment, instance.path) as server:
        yield server


@contextmanager
def _serving(command: list[str], port: int, environment: Mapping[str, str], folder: Path) -> Iterator[Server]:
    log = folder / f"server-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=_CHECKOUT, env={**os.environ, **environment}, stdout=output, stderr=output
        )
    try:
        _wait_until_it_answers(process, port, log)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            Browser(port).get("/login")
        except ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"A server for the benchmark did not start:\n{log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
