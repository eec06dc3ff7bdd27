"""A test that hangs is reported with the stack of each thread, and the run continues."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.processes import PATIENCE_SECONDS

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[1]
TESTS = """
import threading

def test_that_hangs():
    held = threading.Lock()
    held.acquire()
    waiter = threading.Thread(target=held.acquire, name="waiter", daemon=True)
    waiter.start()
    waiter.join()

def test_that_comes_after():
    pass
"""


def test_a_test_that_hangs_fails_with_the_stack_of_each_thread_and_the_next_one_runs(tmp_path: Path) -> None:
    file = tmp_path / "test_hanging.py"
    file.write_text(TESTS)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        ROOT / "pyproject.toml",
        "--rootdir",
        tmp_path,
        "--timeout",
        "1",
    ]
    ended = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-n", "1", file],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "1 failed, 1 passed" in ended.stdout
    assert "waiter.join()" in ended.stdout
    assert "Stack of waiter" in ended.stdout
