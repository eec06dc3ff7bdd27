"""Find Firefox, or install Debian's.

`python -m tests.audit.firefox` always exits with 0: without Firefox its tests are skipped by name.
"""

import shutil

from tests.system_packages import apt_installs, say

NAMES = ("firefox-esr", "firefox")


def find_firefox() -> str | None:
    """Return the path of Firefox, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


if __name__ == "__main__" and find_firefox() is None and not apt_installs("firefox-esr"):
    say("no Firefox here, and none could be installed: its tests are skipped by name")
