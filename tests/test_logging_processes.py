"""Log lines of whole processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.process import PATIENCE_SECONDS, environment
from tests.servers.pipe import Pipe

PREPARE = """
from portal.logging_setup import *
from portal.settings import load_settings
configure_logging(load_settings())
"""


def run(code: str, tmp_path: Path) -> list[str]:
    """Run code in a process; return its log lines."""
    ended = subprocess.run(
        # Python 3.12 and later warn about a fork beside the thread that writes the log.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PREPARE + code],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return ended.stderr.splitlines()


@pytest.mark.full
def test_a_truncated_line_that_could_only_be_terminated_does_not_spoil_the_next(tmp_path: Path) -> None:
    code = """
import resource
log = logging.getLogger("portal")
for room, message in ((20, "cut off"), (21, "lost"), (resource.RLIM_INFINITY, "whole")):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    log.info(message)
    log.handlers[0].flush()
"""
    with (tmp_path / "lines").open("wb") as file:
        command = [sys.executable, "-c", PREPARE + code]
        subprocess.run(command, env=environment(tmp_path), stderr=file, timeout=PATIENCE_SECONDS, check=True)
    torn, *whole = (tmp_path / "lines").read_text().splitlines()
    assert len(torn) == 20
    assert [json.loads(line)["message"] for line in whole] == ["whole", "2 lines of the log were dropped"]


def test_the_last_lines_of_a_process_are_written(tmp_path: Path) -> None:
    lines = run("for number in range(1500): logging.getLogger('portal').info('%d', number)", tmp_path)
    assert [json.loads(line)["message"] for line in lines] == [str(number) for number in range(1500)]


@pytest.mark.full
def test_a_process_exits_though_its_last_lines_cannot_be_written(tmp_path: Path) -> None:
    code = "for number in range(1500): logging.getLogger('portal').info('x' * 500)"
    with Pipe(tmp_path / "pipe") as pipe, pipe.path.open("wb") as entry:
        ended = subprocess.run(
            [sys.executable, "-c", PREPARE + code],
            env=environment(tmp_path),
            stderr=entry,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert ended.returncode == 0


@pytest.mark.full
def test_a_traceback_that_ends_a_process_is_written(tmp_path: Path) -> None:
    code = """
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("portal").exception("it failed")
raise SystemExit(3)
"""
    (line,) = run(code, tmp_path)
    assert "ZeroDivisionError" in json.loads(line)["traceback"]


@pytest.mark.full
def test_each_process_writes_its_own_lines_and_no_others(tmp_path: Path) -> None:
    code = """
log = logging.getLogger("portal")
log.info("parent")
if child := os.fork():
    os.waitpid(child, 0)
    log.info("parent again")
else:
    log.info("child")
"""
    assert [json.loads(line)["message"] for line in run(code, tmp_path)] == ["parent", "child", "parent again"]


def test_warnings_of_libraries_are_log_lines(tmp_path: Path) -> None:
    (line,) = run("logging.getLogger('some.library').warning('%r', 'a\\nb')", tmp_path)
    assert json.loads(line)["logger"] == "some.library"
