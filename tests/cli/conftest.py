import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import insert, select

from portal import create_app
from portal.app import build_context, context_of
from portal.cli import main
from portal.domain import contacts
from portal.domain.context import Context
from portal.domain.passwords.hashing import new_salt
from portal.domain.values.email import parse_email
from portal.instance_dir import upgrade_database
from portal.settings import DATABASE_FILE, load_settings
from portal.storage.models import Account, Organisation


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The error message of a command that failed, which is one line."""
        assert self.status != 0
        assert self.out == ""
        assert "Traceback" not in self.err
        (line,) = self.err.splitlines()
        assert line.startswith("Error: ")
        return line


Run = Callable[..., Outcome]


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("PORTAL_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "instance"
    monkeypatch.setenv("PORTAL_INSTANCE_PATH", str(path))
    return path


@pytest.fixture
def run(instance: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return a function that runs the `portal` command in this process."""
    umask = os.umask(0o022)
    made: list[Flask] = []
    make = create_app

    def make_and_note() -> Flask:
        made.append(make())
        return made[-1]

    monkeypatch.setattr("portal.cli.create_app", make_and_note)
    log = logging.getLogger("portal")
    before = log.handlers, log.level, log.propagate, logging.lastResort

    def run_command(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["portal", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        while made:  # the end of a process closes its database; here the process goes on
            context_of(made.pop()).database.engine.dispose()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int | None)
        return Outcome(ended.value.code or 0, out, err)

    yield run_command
    os.umask(umask)
    # A command that serves sends the log to its stderr, which is gone after the test.
    log.handlers, log.level, log.propagate, logging.lastResort = before


@pytest.fixture
def migrated(instance: Path, migrated_file: Path) -> None:
    """Put a database with the current schema into the instance, so that an upgrade takes next to no time."""
    instance.mkdir(mode=0o700)
    shutil.copy(migrated_file, instance / DATABASE_FILE)


@pytest.fixture
def context(instance: Path, migrated: None) -> Iterator[Context]:
    """The domain on the database of an instance."""
    settings = load_settings()
    upgrade_database(settings)
    context = build_context(settings, "a key that no test reads anything with")
    yield context
    context.database.engine.dispose()


def add_contact(context: Context, email: str, *, account: bool = False, confirmed: bool = True) -> int:
    """A customer of the default organisation."""
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    address = parse_email(email)
    with context.database.write() as connection:
        organisation_id = connection.execute(
            select(Organisation.c.id).where(Organisation.c.slug == "default")
        ).scalar_one()
        contact_id = contacts.get_or_create(connection, organisation_id, address, salt=new_salt(), now=now).id
        if confirmed:
            contacts.prove_mailbox(connection, contact_id, now)
        if account:
            connection.execute(
                insert(Account),
                {"contact_id": contact_id, "password_hash": "$hash$", "password_set_at": now, "created_at": now},
            )
    return contact_id


SAFE = {
    "BASE_URL": "https://portal.example.com",
    "TRUSTED_PROXIES": "1",
    "MAIL_SERVER": "mail.example.com",
    "MAIL_USE_TLS": "true",
    "MAIL_DEFAULT_SENDER": "portal@example.com",
}


class Checked:
    """`portal check` with safe settings but for some."""

    def __init__(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self._run = run
        self._monkeypatch = monkeypatch

    def outcome(self, **changed: str) -> Outcome:
        assert self._run("db", "upgrade").status == 0
        for name, value in {**SAFE, **changed}.items():
            self._monkeypatch.setenv(f"PORTAL_{name}", value)
        return self._run("check")

    def named(self, **changed: str) -> set[str]:
        """The settings that a failing check names."""
        outcome = self.outcome(**changed)
        assert outcome.status == 1
        assert outcome.err == ""
        return {line.split(":")[0] for line in outcome.out.splitlines()}


@pytest.fixture
def checked(run: Run, migrated: None, monkeypatch: pytest.MonkeyPatch) -> Checked:
    return Checked(run, monkeypatch)
