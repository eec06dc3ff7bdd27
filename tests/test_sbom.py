"""`make sbom` names each locked package of the runtime, and nothing of the machine."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.full

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"^([a-z0-9-]+)==([^ ;]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    path = tmp_path_factory.mktemp("sbom") / "portal.cdx.json"
    # Pretend that the environment is up to date: a test must not install anything.
    command = ["make", "--silent", "--assume-old=.venv/.dev", "sbom", f"SBOM={path}"]
    # without the variables that an outer make sets for its children
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    return path.read_text()


@pytest.fixture(scope="module")
def bill(written: str) -> Any:
    return json.loads(written)


def test_it_is_about_this_version_of_the_portal(bill: Any) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    component = bill["metadata"]["component"]
    assert (bill["bomFormat"], component["name"], component["version"]) == ("CycloneDX", "portal", project["version"])
    assert component["licenses"][0]["license"]["id"] == project["license"]


def test_it_names_each_locked_package_once_with_its_version_and_hashes(bill: Any) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    components = bill["components"]
    assert sorted((one["name"], one["version"]) for one in components) == sorted(PINNED.findall(lock))
    assert {one["purl"] for one in components} == {f"pkg:pypi/{one['name']}@{one['version']}" for one in components}
    hashes = [
        entry["content"] for one in components for found in one["externalReferences"] for entry in found["hashes"]
    ]
    assert sorted(hashes) == sorted(HASH.findall(lock))


def test_it_says_nothing_of_the_machine_it_was_made_on(bill: Any, written: str) -> None:
    assert str(ROOT) not in written
    addresses = [found["url"] for one in bill["components"] for found in one["externalReferences"]]
    assert {urlsplit(address).hostname for address in addresses} == {"pypi.org"}  # any index that pip uses here
