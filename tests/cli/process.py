"""The `portal` command as a process of its own, as an operator runs it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import processes
from tests.servers.processes import free_port

PORTAL = Path(sys.executable).with_name("portal")
PATIENCE_SECONDS = processes.PATIENCE_SECONDS


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def environment(instance: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a process: none of the developer's own settings, but these."""
    # What the portal itself sets is for the process to set.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PORTAL_", "RES_OPTIONS"))}
    return {**inherited, "PORTAL_INSTANCE_PATH": str(instance)} | {f"PORTAL_{n}": v for n, v in settings.items()}


def run_portal(instance: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [PORTAL, *arguments],
        env=environment(instance, **settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@dataclass
class Served:
    """A portal that serves."""

    process: subprocess.Popen[str]
    port: int
    log: Path
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group, as a terminal does at Ctrl-C."""
        os.killpg(self.process.pid, number)

    def end(self) -> int:
        """Wait for the end; return the exit status."""
        return self.process.wait(PATIENCE_SECONDS)

    def complaints(self) -> list[str]:
        """The lines of the log that are not about requests."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("{") or json.loads(line)["level"] != "info"]

    def printed(self) -> str:
        """All of stdout, after the end."""
        assert self.process.stdout is not None
        return self.process.stdout.read()


@contextmanager
def serving(
    instance: Path, *arguments: str, program: Sequence[str | Path] = (PORTAL,), **settings: str
) -> Iterator[Served]:
    """Run `portal serve` on a free port during a block."""
    with serving_at(free_port(), instance, *arguments, program=program, **settings) as served:
        yield served


@contextmanager
def serving_at(
    port: int, instance: Path, *arguments: str, program: Sequence[str | Path] = (PORTAL,), **settings: str
) -> Iterator[Served]:
    """Run `portal serve` on a given port; several portals on one port write to one log."""
    instance.parent.mkdir(exist_ok=True)
    log = instance.parent / f"{port}.log"
    with (
        log.open("a") as stderr,
        subprocess.Popen(
            [*program, "serve", "--port", str(port), *arguments],
            env=environment(instance, **settings),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        served = Served(process, port, log)
        try:
            wait_until(lambda: _is_ready(served))
            yield served
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def working(
    log: Path, instance: Path, *, program: Sequence[str | Path] = (PORTAL,), **settings: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `portal worker` during a block; its log is appended to a file."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [*program, "worker"], env=environment(instance, **settings), stdout=output, stderr=output
        ) as process,
    ):
        try:
            wait_until(lambda: handles_signals(process))
            yield process
        finally:
            process.kill()


def handles_signals(worker: "subprocess.Popen[Any]") -> bool:
    """Return whether the command has installed its signal handlers; that of SIGTERM is the last one."""
    assert worker.poll() is None
    status = dict(line.split(":", 1) for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)


def _is_ready(served: Served) -> bool:
    assert served.process.poll() is None, f"the portal did not come up:\n{served.log.read_text()}"
    try:
        with urllib.request.urlopen(f"{served.url}/healthz", timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:  # no process listens yet, or it is slow to start
        return False
