"""Signals that the parent process ignores: SIGINT for background jobs of a script, SIGHUP under nohup."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.process import PATIENCE_SECONDS, PORTAL, serving, working

pytestmark = pytest.mark.full

IGNORING = ("sh", "-c", 'trap "" INT HUP && exec "$@"', "sh")
"""Return the prefix of a command that starts it as such a job."""
TESTS = """
import signal, subprocess, sys
from tests.servers.processes import give_children_default_signals

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
give_children_default_signals()
signal.raise_signal(signal.SIGINT)
signal.raise_signal(signal.SIGHUP)
signal.raise_signal(signal.SIGTERM)
subprocess.run(["cat", "/proc/self/status"], check=True)
"""


def test_a_portal_that_was_started_in_the_background_ends_at_sigterm(tmp_path: Path) -> None:
    with serving(tmp_path / "instance", program=(*IGNORING, PORTAL)) as served:
        served.process.terminate()
        assert served.end() == 0
        assert served.complaints() == []


def test_a_worker_that_was_started_in_the_background_ends_at_sigterm(tmp_path: Path) -> None:
    instance, log = tmp_path / "instance", tmp_path / "worker.log"
    with serving(instance), working(log, instance, program=(*IGNORING, PORTAL)) as worker:
        worker.terminate()
        assert worker.wait(PATIENCE_SECONDS) == 0
    assert log.read_text() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc: Linux tells there which signals a process ignores")
def test_what_tests_start_begins_with_the_default_signals_while_they_go_on_ignoring_them() -> None:
    ended = subprocess.run(
        [*IGNORING, sys.executable, "-c", TESTS], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
    )
    status = dict(line.split(":", 1) for line in ended.stdout.splitlines())
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    assert not [number.name for number in handled if int(status["SigIgn"], 16) >> (number - 1) & 1]
    assert int(status["SigBlk"], 16) == 0
