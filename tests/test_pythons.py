"""Which interpreters `make test-all` finds, and what it prints of them."""

import tomllib
from pathlib import Path

import pytest

from tests import pythons
from tests.pythons import Python, find_pythons

OTHER = "3.13" if pythons.running_version() != "3.13" else "3.12"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without an interpreter."""
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{tmp_path / 'bin'}")
    return tmp_path


def install(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def install_python(path: Path, release: tuple[int, int, int] | None) -> None:
    told = str(list(release)) if release else "null"
    install(path, f"echo '[\"{path}\", {told}]'")


def test_the_oldest_supported_version_is_the_one_that_the_package_requires() -> None:
    project = tomllib.loads((pythons.ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={pythons.SUPPORTED[0]}"


def test_pythons_of_pyenv_of_uv_and_on_path_are_found_and_shims_that_fail_are_passed_over(home: Path) -> None:
    paths = {
        "3.11": home / "pyenv" / "versions" / "3.11.9" / "bin" / "python",
        "3.12": home / "uv" / "cpython-3.12.4-linux-x86_64-gnu" / "bin" / "python",
        "3.13": home / "bin" / "python3.13",
    }
    for version, release in {"3.11": (3, 11, 9), "3.12": (3, 12, 4), "3.13": (3, 13, 2)}.items():
        install_python(paths[version], release)
        install(home / "shims" / f"python{version}", "echo 'pyenv: command not found' >&2; exit 127")
    install(home / "shims" / "python3.14", "echo garbage")
    assert {version: python.path for version, python in find_pythons().items()} == {
        version: str(path) for version, path in paths.items()
    }


def test_of_several_releases_of_a_version_the_newest_is_taken(home: Path) -> None:
    for release in ((3, 12, 9), (3, 12, 10), (3, 12, 1)):
        name = ".".join(map(str, release))
        install_python(home / "pyenv" / "versions" / name / "bin" / "python", release)
    assert [python.full_version for python in find_pythons().values()] == ["3.12.10"]


def test_versions_that_are_not_supported_and_unusual_builds_are_left_out(home: Path) -> None:
    install_python(home / "bin" / "python3.14", (3, 15, 0))  # another version than its name says
    install_python(home / "pyenv" / "versions" / "3.13.0t" / "bin" / "python", None)
    assert find_pythons() == {}


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, 1)])
def test_each_version_is_reported_and_a_failure_is_the_exit_status(
    passed: bool, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def note(python: Python, arguments: list[str]) -> bool:
        asked.append((python.version, arguments))
        return passed

    major, minor = map(int, OTHER.split("."))
    running = tuple(map(int, pythons.running_version().split(".")))
    installed = {
        OTHER: Python("/other", (major, minor, 1)),
        pythons.running_version(): Python("/this", (running[0], running[1], 1)),
    }
    monkeypatch.setattr(pythons, "find_pythons", lambda: installed)
    monkeypatch.setattr(pythons, "passes", note)
    monkeypatch.setattr("sys.argv", ["pythons", "-k", "login"])
    with pytest.raises(SystemExit) as ended:
        pythons.main()
    assert ended.value.code == status
    assert asked == [(OTHER, ["-k", "login"])]
    said = capsys.readouterr().err
    assert f"Python {OTHER}: {'passed' if passed else 'failed'}\n" in said
    missing = [version for version in pythons.SUPPORTED if version not in installed]
    assert all(f"Python {version}: not found" in said for version in missing)


def test_what_cannot_be_installed_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pythons, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    assert not pythons.passes(Python(str(tmp_path / "none"), (3, 13, 0)), [])
    assert not list(tmp_path.glob("build/*/made-from.json"))
