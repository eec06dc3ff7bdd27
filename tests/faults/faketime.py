"""Makes sure that there is libfaketime, and runs the portal with a clock that is wrong.

``python -m tests.faults.faketime`` looks for it and installs Debian's package if it can. It always ends with status 0:
where it cannot be had, the tests that need it are skipped by name and the others still run.
"""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.process import PORTAL
from tests.system_packages import apt_installs, say

# Not libfaketimeMT, its twin for threads: now and then a signal passes the main thread by, and Python sleeps on.
_LIBRARY = "faketime/libfaketime.so.1"
# Python sleeps until a time of the monotonic clock, which libfaketime 0.9.10 refuses to (EINVAL).
_SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"


def find_faketime() -> Path | None:
    """The library's path, by machine and distribution."""
    return next((path for shape in ("lib*", "lib/*") for path in Path("/usr").glob(f"{shape}/{_LIBRARY}")), None)


class WrongClock:
    """A clock that differs from the machine's by what a test sets. The monotonic clock stays right, as on a machine
    whose clock is set.
    """

    def __init__(self, folder: Path, ahead: timedelta = timedelta(0)) -> None:
        library = find_faketime()
        if library is None:
            pytest.skip("libfaketime: there is none here, and it could not be installed")
        folder.mkdir()
        self._file = folder / "clock"
        self.set(ahead)
        (folder / "sitecustomize.py").write_text(_SLEEP)
        self.program = (
            "env",
            f"LD_PRELOAD={library}",
            f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            f"PYTHONPATH={folder}",
            PORTAL,
        )
        """The `portal` command by this clock."""

    def set(self, ahead: timedelta) -> None:
        """Set the difference to the machine's clock from now on."""
        unread = self._file.with_suffix(".new")
        unread.write_text(f"{ahead.total_seconds():+.0f}")
        unread.replace(self._file)


def main() -> None:
    """Print nothing if the library is installed."""
    if find_faketime() is None and sys.platform == "linux":
        apt_installs("libfaketime")
    if find_faketime() is None:
        say("no libfaketime here, and none could be installed: what needs it in tests/faults is skipped by name")


if __name__ == "__main__":
    main()
