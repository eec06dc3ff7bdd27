"""The examples for a shop's server in docs/api.md, run as they are copied from it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.node import find_node
from tests.cli.process import PATIENCE_SECONDS, Served, run_portal, serving

API = Path(__file__).parents[2] / "docs" / "api.md"
IDENTITY = re.compile(r"\b[A-Za-z0-9]{32}\b")
CURL = shutil.which("curl")


def example(language: str) -> str:
    """Return the only example in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", API.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def commands(tmp_path: Path) -> dict[str, list[str]]:
    found = {"sh": ["bash", "-c", re.sub(r"^export .*$", "", example("sh"), flags=re.MULTILINE)]}
    found["python"] = [sys.executable, "-c", example("python")]
    if node := find_node():
        script = tmp_path / "example.mjs"
        script.write_text(example("js"), "utf-8")
        found["js"] = [node, str(script)]
    return found


def run(command: list[str], served: Served, key: str) -> str:
    """Return what an example prints on stdout and stderr."""
    environment = {**os.environ, "PORTAL": served.url, "API_KEY": key}
    outcome = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    return outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    "language",
    [
        pytest.param("sh", marks=pytest.mark.skipif(CURL is None, reason="there is no curl here")),
        "python",
        pytest.param("js", marks=pytest.mark.skipif(find_node() is None, reason="there is no Node.js here")),
    ],
)
@pytest.mark.full
def test_an_example_works_as_it_is_copied(tmp_path: Path, commands: dict[str, list[str]], language: str) -> None:
    instance = tmp_path / "instance"
    with serving(instance, ARGON2_TIME_COST="1", ARGON2_MEMORY_KIB="8") as served:
        made = run_portal(instance, "api-key", "create", "--organisation", "default", "--kind", "PROD")
        key = made.stdout.splitlines()[-1]
        command = commands[language]
        assert "E002" in run(command, served, key)
        assert "PUBLIC_API_KEY_DOES_NOT_EXIST" in run(command, served, "PROD" + "a" * 28)

        customer = tmp_path / "customer.jsonl"
        customer.write_text(json.dumps({"email": "ada@example.com", "passwordHash": hash_of_the_example()}) + "\n")
        imported = run_portal(instance, "customer", "import", str(customer))
        assert imported.returncode == 0, imported.stderr
        assert IDENTITY.search(run(command, served, key))


def hash_of_the_example() -> str:
    """Return the hash of the examples' password, as another system would store it."""
    import bcrypt

    (password,) = re.findall(r'"password": "([^"]+)"', example("sh"))
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
