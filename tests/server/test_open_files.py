"""The number of connections of a process, by its limit of open files."""

import json
import subprocess
import sys

import pytest

from tests.cli.process import PATIENCE_SECONDS

CODE = """
import json, resource
from portal.server.lifecycle import max_connections
print(json.dumps([max_connections(), *resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (1024, 4096, [1000, 2000, 4096]),
        pytest.param(500, 1024, [512, 1024, 1024], marks=pytest.mark.full),
        pytest.param(64, 64, [32, 64, 64], marks=pytest.mark.full),
        pytest.param(3000, 4096, [1000, 3000, 4096], marks=pytest.mark.full),
    ],
    ids=["may be raised", "may be raised a little", "low", "high enough"],
)
def test_connections_get_what_the_database_and_the_threads_leave(soft: int, hard: int, expected: list[int]) -> None:
    command = f'ulimit -Sn {soft}; ulimit -Hn {hard}; exec "$0" -c "$1"'
    ended = subprocess.run(
        ["sh", "-c", command, sys.executable, CODE],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert json.loads(ended.stdout) == expected
