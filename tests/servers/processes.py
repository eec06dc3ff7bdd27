"""Processes that a test starts, freezes and kills, each by its own id."""

import os
import random
import signal
import socket
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from time import monotonic, sleep

PATIENCE_SECONDS = 90
"""How long a test waits for what must happen, on a machine that does other things as well.

It only bounds the waiting, and is well under the time limit of a test (pyproject.toml). No test asserts it.
"""
_FORK_SECONDS = 300
"""The time after which a fork that does not end is killed."""


def give_children_default_signals() -> None:
    """Let programs that this process starts begin with the default signal actions, whatever its own parent ignores.

    A program inherits what its parent ignores: SIGINT in a job that a script runs in the background, as many CI systems
    do, and SIGHUP under nohup. It does not inherit handlers. So this process, which ignores a signal by its parent's
    wish, goes on doing so by a handler that does nothing.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what is blocked is inherited, too


def _ports_of_this_process() -> Iterator[int]:
    """Ports that no other process of the run uses, in random order, since several runs may go on."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = range(20_000 + number, 32_000, processes)
    return cycle(random.sample(ports, len(ports)))


_ports = _ports_of_this_process()


def free_port() -> int:
    """Return a port for a server that will listen on it later, and after each restart.

    It is not in the range (32768 and more) from which the system takes ports at random: of the thousands that tests
    use, one would sometimes take it before the server listens.
    """
    return next(filter(_is_free, _ports))


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds."""
    deadline = monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert monotonic() < deadline, f"waited in vain: {what}"
        sleep(0.01)


def family(pid: int) -> list[int]:
    """Return the ids of a process and its descendants, the oldest first."""
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


def fork(work: Callable[[], object]) -> int:
    """Fork a process that does some work at once, with all that this process has loaded; return its id.

    No connection to a database may be open: neither SQLite's locks nor a connection to a server can be shared.
    """
    with warnings.catch_warnings():
        # Python 3.12 and later warn that a thread may hold a lock at this moment. The threads of a test wait for
        # emails, connections or hashes, and hold no lock that the work needs.
        warnings.filterwarnings("ignore", r".*multi-threaded, use of fork\(\)", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest-timeout's handler belongs to the parent
            signal.alarm(_FORK_SECONDS)
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - the code of the parent must not continue here
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    return child


def end_of(child: int) -> int:
    """Wait for the end of a fork; return its exit status, or the signal that killed it as a negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
