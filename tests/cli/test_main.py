import fcntl
import signal
import subprocess
from importlib.metadata import distribution, version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import update

from portal import cli
from portal.cli.errors import PlainCommand
from portal.domain.context import Context
from portal.storage.models import Contact
from tests.cli.conftest import Run, add_contact
from tests.cli.process import PATIENCE_SECONDS, PORTAL, environment, run_portal, wait_until


def test_help_needs_no_instance_and_no_right_setting(run: Run, instance: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_MAIL_PORT", "many")
    outcome = run("--help")
    assert outcome.status == 0
    assert "serve" in outcome.out
    assert not instance.exists()


@pytest.mark.parametrize("group", ["", "api-key", "customer", "db", "mail", "organisation"])
def test_the_list_of_commands_is_not_cut_off(run: Run, group: str) -> None:
    commands = run(*group.split(), "--help").out.partition("Commands:\n")[2].splitlines()
    assert commands
    assert not [line for line in commands if line.endswith("...")]


def test_it_tells_its_version(run: Run, instance: Path) -> None:
    outcome = run("--version")
    assert (outcome.status, outcome.out) == (0, f"portal {version('portal')}\n")
    assert not instance.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("serve", "--port", "0"),
        ("serve", "--host", "no such host"),
        ("serve", "--threads", "none"),
        ("customer", "show"),
        ("customer", "show", "nobody"),
        ("customer", "show", "a\udcff@example.com"),
        ("customer", "list", "--search", "\udcff"),
        ("customer", "list", "--search", "a\nb"),
        ("customer", "list", "--organisation", ""),
        ("customer", "ban", "jana@example.com"),
        ("customer", "ban", "jana@example.com", "--reason", " "),
        ("customer", "ban", "jana@example.com", "--reason", "x" * 256),
        ("mail", "retry", "first"),
        ("mail", "retry", str(10**30)),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).complaint


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        *(
            pytest.param(command, marks=pytest.mark.full)
            for command in ("--version", "customer --help", "customer list")
        ),
    ],
)
def test_output_that_cannot_be_written_is_one_line(context: Context, instance: Path, command: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [PORTAL, *command.split()], env=environment(instance), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (ended.returncode, ended.stderr) == (1, "Error: No space left on device\n")


@pytest.mark.full
def test_a_letter_that_the_terminal_lacks_is_escaped(context: Context, instance: Path) -> None:
    contact_id = add_contact(context, "jana@example.com")
    with context.database.write() as connection:
        connection.execute(update(Contact).where(Contact.c.id == contact_id).values(name="Černý"))
    shown = {**environment(instance), "PYTHONIOENCODING": "latin-1"}
    for command in (("list",), ("export", "jana@example.com")):
        outcome = subprocess.run([PORTAL, "customer", *command], env=shown, capture_output=True, check=True)
        assert "\\u010cern\xfd".encode("latin-1") in outcome.stdout


@pytest.mark.parametrize("command", [("serve",), ("worker",), ("db", "check"), ("customer", "list"), ("mail", "list")])
def test_a_wrong_setting_is_one_line_that_names_it(
    run: Run, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_MAIL_PORT", "many")
    assert "PORTAL_MAIL_PORT" in run(*command).complaint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_BASE_URL", "portal.example.com"),
        ("PORTAL_DATABASE_URL", "sqlite://"),
        ("PORTAL_SECRET_KEY", "changeme"),
        ("PORTAL_LOGIN_LIMIT_ACCOUNT", "0 per minute"),
        ("PORTAL_RESET_LIFETIME", "soon"),
    ],
)
def test_each_wrong_setting_is_named(run: Run, name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert name in run("db", "check").complaint


def test_a_folder_that_cannot_be_made_is_one_line(run: Run, instance: Path) -> None:
    instance.write_text("a file in its place")
    complaint = run("customer", "list").complaint
    assert "PORTAL_INSTANCE_PATH" in complaint


def test_a_database_without_a_schema_is_one_line(run: Run) -> None:
    assert "run `portal db upgrade`" in run("customer", "list").complaint


@pytest.mark.full
def test_ctrl_c_ends_a_command_quietly(instance: Path) -> None:
    run_portal(instance, "db", "upgrade")
    with (instance / "instance.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # so that the command waits
        with subprocess.Popen(
            [PORTAL, "db", "upgrade"], env=environment(instance), stderr=subprocess.PIPE, text=True
        ) as waiting:
            wait_until(lambda: waits_for_a_lock(waiting))
            waiting.send_signal(signal.SIGINT)
            _, err = waiting.communicate(timeout=PATIENCE_SECONDS)
    assert waiting.returncode == 130
    assert err.strip() == ""


def waits_for_a_lock(process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None
    return f"FLOCK  ADVISORY  WRITE {process.pid} " in Path("/proc/locks").read_text()


def test_a_fault_of_the_portal_itself_is_one_line_that_says_where() -> None:
    @click.command(cls=PlainCommand)
    def fail() -> None:
        raise ZeroDivisionError("a secret")

    outcome = CliRunner().invoke(fail)
    assert outcome.exit_code == 1
    (line,) = outcome.output.splitlines()
    assert "ZeroDivisionError at test_main.py" in line
    assert "a secret" not in line


@pytest.mark.full
def test_flask_offers_the_same_commands() -> None:
    points = distribution("portal").entry_points.select(group="flask.commands")
    offered = {point.name: point.load() for point in points}
    context = click.Context(cli.portal)
    assert offered == {name: cli.portal.get_command(context, name) for name in cli.portal.list_commands(context)}


@pytest.mark.full
def test_flask_says_in_one_line_too_which_setting_is_wrong(instance: Path) -> None:
    ended = subprocess.run(
        [PORTAL.with_name("flask"), "--app", "portal", "check"],
        env=environment(instance, MAIL_PORT="many"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode != 0
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: PORTAL_MAIL_PORT: ")
