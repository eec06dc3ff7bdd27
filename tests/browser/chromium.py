"""Makes sure that there is a Chromium to test with.

``python -m tests.browser.chromium`` looks for one, installs one if it can, and prints its path. It always ends with
status 0: on a machine where no browser can be had, the browser tests are skipped by name and the others still run.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Chromium's sandbox refuses to work for root, which is whom CI machines run as. The other two keep the browser from
# asking its maker's hosts, which a machine without a way out refuses many at a time.
LAUNCH_ARGUMENTS = (
    *(("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()),
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
    if _is_root() and _distribution() == "debian" and shutil.which("apt-get"):
        _say("installing Debian's chromium (once, well under a minute as a rule)")
        if _install_with_apt() and _found_now():
            return True
    _say("downloading Playwright's Chromium (once)")
    # Ubuntu and its kin: Playwright knows which libraries to ask apt for, but as root only.
    with_libraries = ("--with-deps",) if _is_root() and shutil.which("apt-get") and _distribution() != "debian" else ()
    return _runs([sys.executable, "-m", "playwright", "install", *with_libraries, "chromium"], 300) and _found_now()


def main() -> None:
    """Prints the path of a Chromium, or says that the browser tests are skipped."""
    if find_chromium() is None and not install():
        _say("none here and none could be installed: the browser tests are skipped by name")
        return
    print(find_chromium())


def _install_with_apt() -> bool:
    apt = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # An update that fails on one source may still have brought what is needed, so the install decides.
    _runs([*apt, "update"], 120, environment)
    return _runs([*apt, "install", "-y", "--no-install-recommends", *_DEBIAN_PACKAGES], 300, environment)


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


def _runs(command: Sequence[str], seconds: int, environment: Mapping[str, str] | None = None) -> bool:
    """True when the command succeeds in time. What it complained of is shown when it does not.

    Its output goes to a file, not a pipe: a grandchild that outlives the time-out would hold a pipe open.
    """
    with tempfile.TemporaryFile() as output:
        try:
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
                env=environment,
            )
        except OSError as error:
            _say(f"{command[0]}: {error}")
            return False
        except subprocess.TimeoutExpired:
            _say(f"gave up on {' '.join(command)!r} after {seconds} s")
            return False
        if result.returncode != 0:
            output.seek(0)
            lines = [line.strip() for line in output.read().decode(errors="replace").splitlines() if line.strip()]
            # A tool's own word for what went wrong (apt-get: "E:", Playwright: "Error:") lies above its stack trace.
            reason = next((line for line in lines if line.startswith(("E:", "Error"))), lines[-1] if lines else "")
            _say(f"{' '.join(command)!r} failed: {reason}")
        return result.returncode == 0


def _distribution() -> str:
    """The ``ID`` of os-release: "debian", "ubuntu"; empty where there is no such file."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line[3:].strip("\"'") for line in lines if line.startswith("ID=")), "")


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _say(message: str) -> None:
    print(f"browser tests: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
