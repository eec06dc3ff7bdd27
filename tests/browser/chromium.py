"""Find or install the Chromium for the browser tests.

``python -m tests.browser.chromium`` finds a Chromium, or installs one if possible, and prints its path. Its status is
always 0: without a browser, the browser tests are skipped and the others still run.
"""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

from tests.system_packages import apt_installs, distribution, is_root, runs, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Chromium's sandbox does not work for root, the user of most CI machines. The other options prevent requests to
# Google's hosts, which fail on machines without network.
LAUNCH_ARGUMENTS = (
    *(("--no-sandbox",) if is_root() else ()),
    "--disable-background-networking",
    "--disable-quic",
)

_DEBIAN_PACKAGES = ("chromium", "fonts-liberation")  # without a font, text has no width


@functools.cache
def find_chromium() -> str | None:
    """Return the path of a Chromium that starts: the system's, else the one that Playwright downloaded, else None.

    The result is cached. Call this before Playwright is started in the same thread, since it starts Playwright for a
    moment, which cannot run twice.
    """
    for name in NAMES:
        path = shutil.which(name)
        if path and _starts(path):
            return path
    path = _playwrights_own()
    return path if path and _starts(path) else None


def install() -> bool:
    """Install a Chromium, and return whether one starts afterwards.

    As root on Debian this installs the package, which includes the libraries that Playwright's download expects on the
    machine. Elsewhere Playwright downloads its own Chromium. Every step has a timeout, for machines without network.
    """
    if distribution() == "debian" and apt_installs(*_DEBIAN_PACKAGES) and _found_now():
        return True
    say("downloading Playwright's Chromium (once)")
    # Ubuntu and its kin: Playwright knows which libraries to ask apt for, but as root only.
    with_libraries = ("--with-deps",) if is_root() and shutil.which("apt-get") and distribution() != "debian" else ()
    return runs([sys.executable, "-m", "playwright", "install", *with_libraries, "chromium"], 300) and _found_now()


def main() -> None:
    """Print the path of a Chromium, or that the browser tests are skipped."""
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
    """Return whether the browser starts: libraries may be missing, and Ubuntu has a placeholder for a snap."""
    try:
        result = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0 and b"Chrom" in result.stdout


if __name__ == "__main__":
    main()
