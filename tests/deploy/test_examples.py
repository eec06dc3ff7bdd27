"""deploy/systemd and deploy/compose.yaml name commands and settings that exist, and leave enough time to stop."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped] # others of the tools bring it, locked, without its types

from portal.cli import portal
from portal.mail.smtp import MAIL_SECONDS
from portal.server.lifecycle import GRACEFUL_SECONDS
from portal.settings import Settings, load_settings
from tests.cli.process import PORTAL

pytestmark = pytest.mark.full

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SETTINGS = {f"PORTAL_{field.name.upper()}" for field in fields(Settings)}
ENDING = {"serve": GRACEFUL_SECONDS, "worker": MAIL_SECONDS, "upgrade": 0}
"""The seconds in which each command stops."""
FILLED_IN = {
    "BASE_URL": "https://portal.example.com",
    "SECRET_KEY": "p0Wq-7rLz2NvXk9sTe4JbUy8",
    "POSTGRES_PASSWORD": "a-word",
    "MAIL_SERVER": "mail.example.com",
    "MAIL_DEFAULT_SENDER": "portal@example.com",
}


def parsed(words: Sequence[str]) -> click.Context:
    """Return the command that these words call; raises UsageError if there is none."""
    command: click.Command = portal
    context = click.Context(portal)
    rest = list(words)
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
    return command.make_context(command.name, rest)


def entries(unit: Path) -> dict[str, str]:
    lines = (line for line in unit.read_text().splitlines() if "=" in line and line[0] not in "#[")
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_a_unit_runs_a_command_and_lets_it_end(unit: Path) -> None:
    entry = entries(unit)
    program, *words = shlex.split(entry["ExecStart"].replace("%i", "5000"))
    assert program.endswith("/portal")
    context = parsed(words)
    assert context.params.get("port", 5000) == 5000
    assert int(entry["TimeoutStopSec"]) > ENDING[str(context.command.name)]
    assert entry["Environment"].partition("=")[0] in SETTINGS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text().replace("/opt/portal/bin/portal", str(PORTAL)).replace("User=portal", "User=root")
    copy = tmp_path / unit.name.replace("@", "@5000")
    copy.write_text(text)
    said = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, [line for line in said.stderr.splitlines() if unit.stem.rstrip("@") in line]) == (0, [])


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the compose file with the operator's values filled in."""
    text = re.sub(
        r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}",
        lambda found: FILLED_IN[found[1]] if found[2] is None else found[2],
        (DEPLOY / "compose.yaml").read_text(),
    )
    read: dict[str, Any] = yaml.safe_load(text)["services"]
    return read


def test_compose_has_the_three_services_and_what_goes_with_them(services: dict[str, Any]) -> None:
    assert services.keys() == {"portal", "portal-2", "postgres", "redis", "migrate", "worker"}


def test_nginx_asks_each_portal_of_compose_on_a_port_of_its_own(services: dict[str, Any]) -> None:
    published = [services[name]["ports"] for name in ("portal", "portal-2")]
    asked = re.findall(r"server (127\.0\.0\.1:\d+) ", (DEPLOY / "nginx" / "portal.conf").read_text())
    assert published == [[f"{address}:5000"] for address in asked]


@pytest.mark.parametrize("name", ["portal", "portal-2", "migrate", "worker"])
def test_a_service_runs_a_command_with_settings_and_lets_it_end(
    services: dict[str, Any], tmp_path: Path, name: str
) -> None:
    service = services[name]
    program, *words = service["command"]
    assert program == "portal"
    command = str(parsed(words).command.name)
    assert int(service.get("stop_grace_period", "10s").removesuffix("s")) > ENDING[command]
    assert service["environment"].keys() <= SETTINGS
    settings = load_settings({**service["environment"], "PORTAL_INSTANCE_PATH": str(tmp_path)})
    assert settings.database_url.endswith("@postgres/portal")
    assert settings.ratelimit_storage_uri == "redis://redis:6379/0"
    assert service["depends_on"].keys() <= services.keys()


def test_the_image_is_made_of_what_is_there(services: dict[str, Any]) -> None:
    dockerfile = DEPLOY.parent / services["portal"]["build"]["dockerfile"]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile.read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert names >= {"portal", "templates", "static", "pyproject.toml", "requirements.lock"}
    assert [name for name in names if not (ROOT / name).exists()] == []
