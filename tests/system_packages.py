"""System packages that tests need beside Python packages, installed with apt where possible."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def distribution() -> str:
    """Return the ID of os-release ("debian", "ubuntu"), or an empty text if there is no such file."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line[3:].strip("\"'") for line in lines if line.startswith("ID=")), "")


def apt_installs(*packages: str) -> bool:
    """Install packages with apt; return whether it succeeded. False at once without root or apt."""
    if not is_root() or not shutil.which("apt-get"):
        return False
    say(f"installing {', '.join(packages)} with apt (once, well under a minute as a rule)")
    apt = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # An update that fails for one source may still bring what is needed, so the installation decides.
    runs([*apt, "update"], 120, environment)
    return runs([*apt, "install", "-y", "--no-install-recommends", *packages], 300, environment)


def runs(command: Sequence[str], seconds: int, environment: Mapping[str, str] | None = None) -> bool:
    """Run a command; return whether it succeeded in time, and print its errors if not.

    Its output goes to a file, not a pipe: a grandchild that outlives the timeout would keep a pipe open.
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
            say(f"{command[0]}: {error}")
            return False
        except subprocess.TimeoutExpired:
            say(f"gave up on {' '.join(command)!r} after {seconds} s")
            return False
        if result.returncode != 0:
            output.seek(0)
            lines = [line.strip() for line in output.read().decode(errors="replace").splitlines() if line.strip()]
            # A tool's own error message (apt-get: "E:", Playwright: "Error:") is above its stack trace.
            reason = next((line for line in lines if line.startswith(("E:", "Error"))), lines[-1] if lines else "")
            say(f"{' '.join(command)!r} failed: {reason}")
        return result.returncode == 0


def say(message: str) -> None:
    """Print what is installed, and for what."""
    print(f"tests: {message}", file=sys.stderr, flush=True)
