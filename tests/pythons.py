"""Run `make test` on every Python version that the portal supports and that is installed here, each in its environment.

Of `make test` only the tests of domain, pages and API, and of these only those that need no PostgreSQL; of each test
with a database one case: what Python versions do differently, they do in each case.

``python -m tests.pythons [pytest's arguments]`` leaves out the version that runs it, which ``make test`` is about. It
looks in pyenv's and uv's folders and on PATH, and asks each interpreter for its version: a name there may be a shim of
pyenv for a version that is not active, which fails. Versions that it does not find are named, and are no failure; the
exit status is 1 when a test failed on one, or its environment could not be made.

uv makes an environment from the lock file, in build/, and anew when that, pyproject.toml or the interpreter changed.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.system_packages import say

ROOT = Path(__file__).parents[1]
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
FOLDERS = ("tests/domain", "tests/storage", "tests/web", "tests/api")
PYTEST = (
    *("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder", "-q"),
    *("-m", "not full", "--without-postgresql", "--most-cases=1"),
)
_LOCK = ROOT / "requirements-dev.lock"
_UV = (str(Path(sys.executable).with_name("uv")), "--no-config", "--quiet")
_PROBE = """
import json, sqlite3, ssl, sys, sysconfig
usual = sys.implementation.name == "cpython" and sys.version_info.releaselevel == "final"
usual = usual and not sysconfig.get_config_var("Py_GIL_DISABLED")
print(json.dumps([sys.executable, sys.version_info[:3] if usual else None]))
"""
_PROBE_SECONDS = 60


@dataclass(frozen=True)
class Python:
    """An interpreter that works."""

    path: str
    release: tuple[int, int, int]

    @property
    def version(self) -> str:
        """The version as in the names of executables: "3.12"."""
        return "{}.{}".format(*self.release)

    @property
    def full_version(self) -> str:
        return ".".join(map(str, self.release))


def running_version() -> str:
    """Return the version of this interpreter."""
    return "{}.{}".format(*sys.version_info)


def find_pythons() -> dict[str, Python]:
    """Return the newest release of each supported version that is installed here."""
    found: dict[str, Python] = {}
    for path in _candidates():
        python = _probe(path)
        if python is None or python.version not in SUPPORTED:
            continue
        if python.version not in found or found[python.version].release < python.release:
            found[python.version] = python
    return found


def _candidates() -> Iterator[Path]:
    """Yield each executable that may be a Python, and that may not run."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    on_path = [Path(folder) for folder in os.get_exec_path() if folder]
    for version in SUPPORTED:
        yield from sorted(pyenv.glob(f"{version}*/bin/python"))
        yield from sorted(uv.glob(f"cpython-{version}.*/bin/python"))
        yield from (path for folder in on_path if (path := folder / f"python{version}").exists())


def _probe(path: Path) -> Python | None:
    """Ask an executable which Python it is; None if it does not run, or lacks what the portal needs."""
    try:
        answer = subprocess.run(
            [path, "-I", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=True,
        )
        executable, release = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Python(executable, tuple(release)) if release else None


def environment_of(python: Python) -> Path:
    """Create an environment with the packages of the lock file, unless there is one; return its interpreter."""
    folder = ROOT / "build" / f"python-{python.version}"
    stamp = folder / "made-from.json"
    inside = folder / "bin" / "python"
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (_LOCK, ROOT / "pyproject.toml")]
    made_from = json.dumps([python.path, python.full_version, *digests])
    if stamp.exists() and stamp.read_text() == made_from:
        return inside
    say(f"installing the portal for Python {python.version} into {folder.relative_to(ROOT)} (only this once)")
    install = (*_UV, "pip", "install", "--python", str(inside), "--no-deps")
    for command in (
        (*_UV, "venv", "--clear", "--no-project", "--python", python.path, str(folder)),
        (*install, "--require-hashes", "--requirements", str(_LOCK)),
        (*install, "--no-build-isolation", "--editable", str(ROOT)),  # its build backend is in the lock file
    ):
        subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=True)
    stamp.write_text(made_from)
    return inside


def passes(python: Python, arguments: Sequence[str]) -> bool:
    """Run the tests with one version; return whether all passed."""
    say(f"Python {python.full_version}, {python.path}")
    try:
        inside = environment_of(python)
        subprocess.run([inside, "-m", "tests.servers.redis"], cwd=ROOT, check=True)
        subprocess.run([inside, "-m", "pytest", *PYTEST, *arguments, *FOLDERS], cwd=ROOT, check=True)
    except subprocess.CalledProcessError:
        return False
    return True


def main() -> None:
    """Run the tests, and print the versions with failures, and those that were not found."""
    others = [version for version in SUPPORTED if version != running_version()]
    found = find_pythons()
    failed = [version for version in others if version in found and not passes(found[version], sys.argv[1:])]
    for version in others:
        if version not in found:
            say(
                f"Python {version}: not found, neither in pyenv's nor uv's folder nor on PATH; nothing was tested on it"
            )
        else:
            say(f"Python {version}: {'failed' if version in failed else 'passed'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
