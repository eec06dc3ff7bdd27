"""README and docs: links work, make targets exist, and the tour runs as pasted; other commands: tests/cli."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.process import PORTAL, run_portal, serving

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "deploy" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TARGET = re.compile(r"(?:`|^    )make ([a-z-]+)", re.MULTILINE)
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchor of a heading, as GitHub makes it."""
    headings = _HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text("utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_file(), target
        assert not anchor or anchor in anchors(found), target


def test_every_page_is_listed_in_the_readme() -> None:
    listed = {target.partition("#")[0] for target in _LINK.findall((ROOT / "README.md").read_text("utf-8"))}
    assert {str(page.relative_to(ROOT)) for page in PAGES if page.parent.name == "docs"} <= listed


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        assert set(_TARGET.findall(page.read_text("utf-8"))) <= targets, page


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 150


@pytest.mark.full
def test_the_tour_works_as_it_is_pasted(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    commands = "\n".join(_COMMANDS.findall((ROOT / "README.md").read_text("utf-8")))
    assert commands.count(".venv/bin/portal") == 5
    with serving(instance, ARGON2_TIME_COST="1", ARGON2_MEMORY_KIB="8") as served:
        commands = commands.replace(".venv/bin/portal", str(PORTAL)).replace("http://127.0.0.1:5000", served.url)
        environ = {**os.environ, "PORTAL_INSTANCE_PATH": str(instance)}
        done = subprocess.run(
            ["bash", "-euc", commands], env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        assert re.search(r'"identityId": ?"[A-Za-z0-9]{32}"', done.stdout), done.stdout
        assert "ada@example.com" in done.stdout
        assert "Quill Books" in run_portal(instance, "organisation", "show", "default").stdout
