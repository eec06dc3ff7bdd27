"""Processes that a test starts, freezes and kills, each by its own id."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

PATIENCE_SECONDS = 30


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Return as soon as something is so."""
    deadline = monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert monotonic() < deadline, f"waited in vain: {what}"
        sleep(0.01)


def family(pid: int) -> list[int]:
    """A process and all that it has started, the eldest first."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue  # it has just ended
    return found


def signal_family(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    for pid in family(process.pid):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # it has just ended
