"""A wheel of `python -m build` serves the portal outside the checkout."""

import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portal.storage import schema
from tests.cli.process import PATIENCE_SECONDS, environment, wait_until
from tests.servers.processes import free_port

pytestmark = pytest.mark.full

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `portal` command of an environment with the wheel, and without the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("portal", "templates", "static"):
        # As after `git clone`: without compiled files.
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("portal-*.whl")
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run([*pip, "install", "--no-deps", "--quiet", str(wheel)], check=True, timeout=120)
    # The libraries are those of the tests; a .pth inside a folder that a .pth names (our own link) is not read.
    libraries = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.with_name("portal")


@contextmanager
def served(portal: Path, instance: Path) -> Iterator[str]:
    port = free_port()
    command = [str(portal), "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment(instance), cwd=instance.parent, text=True) as process:
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(PATIENCE_SECONDS) == 0


def answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)
    except OSError:
        return False


def test_it_serves_pages_in_every_language_and_their_files(portal: Path, tmp_path: Path) -> None:
    with served(portal, tmp_path / "instance") as url:
        with urllib.request.urlopen(f"{url}/login", timeout=60) as page:
            html = page.read().decode()
        assert "portal.css?v=" in html
        in_czech = urllib.request.Request(f"{url}/login", headers={"Accept-Language": "cs"})
        with urllib.request.urlopen(in_czech, timeout=60) as page:
            assert "<h1>Přihlásit se</h1>" in page.read().decode()
        for name in ("portal.css", "portal.js", "favicon.svg"):
            assert answers(f"{url}/static/{name}"), name
    assert (tmp_path / "instance" / "portal.sqlite3").exists()


def test_it_is_the_wheel_that_runs_and_not_the_checkout(portal: Path, tmp_path: Path) -> None:
    place = "import portal; print(portal.__file__)"
    found = subprocess.run(
        [portal.with_name("python"), "-c", place],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert found.stdout.startswith(str(portal.parent.parent))


def test_it_brings_its_migrations(portal: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [portal, "db", "upgrade"],
        env=environment(tmp_path / "instance"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, f"The database has this version's schema, {schema.head()}.\n")
