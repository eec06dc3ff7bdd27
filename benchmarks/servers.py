"""Real servers on loopback, in processes of their own, and the CPU time they have used."""

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
    """A server that answers."""

    port: int
    pid: int

    def browser(self) -> Browser:
        """A client of it."""
        return Browser(self.port)

    def cpu_seconds(self) -> float:
        """The CPU time of its process, user and system, to the nanosecond."""
        # The id of another process's CPU clock, as clock_getcpuclockid(3) computes it: /proc/*/stat counts in steps of
        # 10 ms, as long as twenty pages take.
        return time.clock_gettime(~self.pid << 3 | 2)


@contextmanager
def portal_server(instance: Instance) -> Iterator[Server]:
    """The portal as an operator runs it: `portal serve`."""
    port = _free_port()
    code = "from portal.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", str(port), "--threads", str(THREADS)]
    with _serving(command, port, instance.environment, instance.path) as server:
        yield server


@contextmanager
def bare_server(instance: Instance) -> Iterator[Server]:
    """The bare reference (bare.py), behind the same server with the same settings."""
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
