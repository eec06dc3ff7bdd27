"""Makes sure that there is a Chromium to test with.

``python -m tests.browser.chromium`` looks for one, installs one if it can, and prints its path. It always ends with
status 0: on a machine where no browser can be had, the browser tests are skipped by name and the others still run.
"""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

from tests.system_packages import apt_installs, distribution, is_root, runs, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Chromium's sandbox refuses to work for root, which is whom CI machines run as. The other two keep the browser from
# asking its maker's hosts, which a machine without a way out refuses many at a time.
LAUNCH_ARGUMENTS = (
    *(("--no-sandbox",) if is_root() else ()),
    "--disable-background-networking",
    "--disable-quic",
)

_DEBIAN_PACKAGES = ("chromium", "fonts-liberation")  # without a font, text has no width


@functools.cache
def find_chromium() -> str | None:
    """Returns the path of a Chromium that starts, or None: the system's, else the one Playwright downloaded.

    The answer is kept for the life of the process. Call it before Playwright is started in the same thread: asking
    Playwright for its browser starts it for a moment, and it does not start twice.
    """
    for name in NAMES:
        path = shutil.which(name)
        if path and _starts(path):
            return path
    path = _playwrights_own()
    return path if path and _starts(path) else None


def install() -> bool:
    """Tries to bring a Chromium; True when one starts afterwards.

    On Debian as root its package comes first: the mirror is near, and the package brings the libraries that
    Playwright's download expects on the machine. Everywhere else Playwright downloads its own. Every step has a
    time-out, so a machine without a way out costs minutes at worst, and seconds as a rule.
    """
    if distribution() == "debian" and apt_installs(*_DEBIAN_PACKAGES) and _found_now():
        return True
    say("downloading Playwright's Chromium (once)")
    # Ubuntu and its kin: Playwright knows which libraries to ask apt for, but as root only.
    with_libraries = ("--with-deps",) if is_root() and shutil.which("apt-get") and distribution() != "debian" else ()
    return runs([sys.executable, "-m", "playwright", "install", *with_libraries, "chromium"], 300) and _found_now()


def main() -> None:
    """Prints the path of a Chromium, or says that the browser tests are skipped."""
    if find_chromium() is None and not install():
        say("no Chromium here, and none could be installed: the browser tests are skipped by name")
        return
    print(find_chromium())


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return str(path) if path.exists() else None


def _found_now() -> bool:
    find_chromium.cache_clear()
    return find_chromium() is not None


def _starts(path: str) -> bool:
    """True when the browser answers: Ubuntu's ``chromium-browser`` may be a hint at a snap, or libraries may lack."""
    try:
        result = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0 and b"Chrom" in result.stdout


if __name__ == "__main__":
    main()
