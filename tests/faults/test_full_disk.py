"""The disk is full: reads keep working, writes are refused and leave nothing behind; it recovers with free space."""

import email
import http.client
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from portal.domain.outbox import MailState, Notice
from portal.storage.database import open_database
from tests.cli.process import Served, run_portal, serving, wait_until
from tests.mail.conftest import OpenOffice, open_office
from tests.mail.mail_portal import ADA
from tests.servers.disk import Disk
from tests.web.conftest import PASSWORD
from tests.web.html import read
from tests.web.post import link_in
from tests.web.test_served import CHEAP, Visitor

__all__ = ["open_office"]
pytestmark = [pytest.mark.on_sqlite, pytest.mark.full]

NAMES = {"first_name": "Ada", "last_name": "Quill"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with Disk(tmp_path / "disk", mebibytes=16) as disk:
        yield disk


def mails(instance: Path) -> list[EmailMessage]:
    """Return the emails in the local mailbox, except notices of new sign-ins, which may come later."""
    files = (instance / "mailbox" / "new").glob("*")
    found = [email.message_from_bytes(path.read_bytes(), policy=default) for path in files]
    return [mail for mail in found if not mail["Subject"].startswith("New sign-in")]


def form_of(visitor: Visitor, path: str, **typed: str) -> str:
    """A form that is filled in and not sent yet."""
    tree, _ = read(visitor.ask("GET", path)[2])
    (form,) = [form for form in tree.all("form") if form.get("action") == path]
    return urlencode({"csrf_token": form.one("input", name="csrf_token").get("value"), **typed})


def send(served: Served, visitor: Visitor, path: str, body: str, kind: str) -> tuple[int, str | None, str]:
    """Return status, Retry-After and body of a response."""
    headers = {"Cookie": visitor._cookie, "Content-Type": kind, "Origin": served.url}
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)) as connection:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Retry-After"), answer.read().decode()


def assert_no_room(ended: subprocess.CompletedProcess[str]) -> None:
    """Check a command that found no space: it prints one line, which may quote SQLite."""
    assert ended.returncode == 1
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert any(words in line for words in ("No space left", "disk is full", "disk I/O error")), line
    assert "Traceback" not in ended.stderr


def test_with_a_full_disk_reads_keep_working_and_committed_data_stays(disk: Disk) -> None:
    instance = disk.path / "private" / "instance"
    instance.parent.mkdir()
    made = run_portal(instance, "db", "upgrade")
    assert made.returncode == 0, made.stderr
    made = run_portal(instance, "api-key", "create", "--organisation", "default", "--kind", "PROD")
    key = made.stdout.split()[-1]
    with serving(instance, MAIL_LIMIT_ADDRESS="100 per hour", **CHEAP) as served:
        ada, bob, eve = Visitor(served), Visitor(served), Visitor(served)
        assert ada.fill("/register", email=ADA, password=PASSWORD, **NAMES)[0] == 302
        wait_until(lambda: len(mails(instance)) == 1)
        assert ada.fill(urlsplit(link_in(mails(instance)[0])).path)[:2] == (302, "/account")
        form = "application/x-www-form-urlencoded"
        refused = [
            (bob, "/login", form_of(bob, "/login", email=ADA, password=PASSWORD), form),
            (bob, "/login", form_of(bob, "/login", email=ADA, password="wrong"), form),
            (eve, "/register", form_of(eve, "/register", email="eve@example.com", password=PASSWORD, **NAMES), form),
            (eve, "/password/reset", form_of(eve, "/password/reset", email=ADA), form),
            (eve, f"/api/v1/customer/reset-password?apiKey={key}", json.dumps({"email": ADA}), "application/json"),
        ]
        disk.fill()
        for _ in range(3):
            for visitor, path, body, kind in refused:
                status, retry_after, content = send(served, visitor, path, body, kind)
                assert (status, retry_after) == (503, "2"), path
                assert "Traceback" not in content
                assert "sqlite" not in content.lower()
                if kind == form:
                    assert "Back in a moment" in content
                else:
                    assert json.loads(content)["error"]["code"] == "SERVICE_UNAVAILABLE"
            for path in ("/account", "/healthz", "/readyz", "/static/portal.css"):
                assert ada.ask("GET", path)[0] == 200, path
            assert Visitor(served).ask("GET", "/login")[0] == 200
        disk.empty()
        for visitor, path, body, _ in refused[2:4]:
            assert visitor.ask("POST", path, body)[0] == 302
        assert Visitor(served).fill("/login", email=ADA, password=PASSWORD)[:2] == (302, "/account")
        wait_until(lambda: len(mails(instance)) == 3)
        assert sorted(mail["To"] for mail in mails(instance)) == [ADA, ADA, "eve@example.com"]
        log = served.log.read_text()
    assert "database or disk is full" in log
    assert not any(canary in log for canary in (PASSWORD, ADA, "eve@", key, ada._cookie[7:40]))
    with closing(sqlite3.connect(instance / "portal.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT count(*) FROM registration").fetchone() == (2,)
        assert set(connection.execute("SELECT state FROM outbox WHERE notice != 'new_sign_in'")) == {("sent",)}


def test_mails_wait_for_space_in_the_local_mailbox(open_office: OpenOffice, disk: Disk) -> None:
    mail_portal = open_office(INSTANCE_PATH=str(disk.path / "instance"))
    mail_portal.queue("first@example.com")
    mail_portal.work()
    disk.fill()
    for recipient in ("second@example.com", "third@example.com"):
        mail_portal.queue(recipient, Notice.RESET)
    assert mail_portal.work() > 0
    assert mail_portal.states() == [MailState.SENT, MailState.QUEUED, MailState.QUEUED]
    assert [mail_portal.row(number).attempts for number in (1, 2, 3)] == [0, 0, 0]
    assert len(mails(disk.path / "instance")) == 1
    assert list((disk.path / "instance" / "mailbox" / "tmp").iterdir()) == []
    disk.empty()
    assert mail_portal.work() == 0
    assert mail_portal.states() == [MailState.SENT] * 3
    arrived = mails(disk.path / "instance")
    assert sorted(mail["To"] for mail in arrived) == ["first@example.com", "second@example.com", "third@example.com"]
    assert all("html" in mail.as_string() for mail in arrived)


def test_a_write_ahead_log_that_cannot_be_checkpointed_on_a_full_disk_waits(disk: Disk) -> None:
    """Otherwise a customer who was deleted, and whose rows are gone, would be reported as not deleted."""
    file = disk.path / "portal.sqlite3"
    file.touch()
    log = file.with_name("portal.sqlite3-wal")
    database = open_database(f"sqlite:///{file}")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE filler (content BLOB)")
        for _ in range(100):
            connection.exec_driver_sql("INSERT INTO filler VALUES (randomblob(4000))")
    disk.fill()
    database.scrub()
    assert log.stat().st_size > 0
    disk.empty()
    database.scrub()
    assert log.stat().st_size == 0
    with database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 5000
    database.engine.dispose()


def test_a_backup_without_disk_space_fails_with_one_line_and_leaves_no_file(tmp_path: Path, disk: Disk) -> None:
    assert run_portal(tmp_path / "instance", "db", "upgrade").returncode == 0
    disk.fill(leave=100_000)
    ended = run_portal(tmp_path / "instance", "backup", str(disk.path / "copy"))
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line == f"Error: The database cannot be copied to {disk.path / 'copy'}: database or disk is full."
    assert [path.name for path in disk.path.iterdir()] == ["filler"]


@pytest.mark.parametrize("left", [0, 200_000])
def test_a_first_start_without_disk_space_fails_with_one_line_and_the_next_succeeds(disk: Disk, left: int) -> None:
    instance = disk.path / "instance"
    disk.fill(leave=left)
    assert_no_room(run_portal(instance, "serve", "--port", "9"))
    assert list(instance.glob("*.new")) == []
    disk.empty()
    with serving(instance) as served:
        assert Visitor(served).ask("GET", "/readyz")[0] == 200


def test_a_later_start_without_disk_space_fails_with_one_line_and_changes_nothing(disk: Disk) -> None:
    instance = disk.path / "instance"
    assert run_portal(instance, "db", "upgrade").returncode == 0
    before = (instance / "portal.sqlite3").read_bytes()
    disk.fill()
    assert_no_room(run_portal(instance, "serve", "--port", "9"))
    assert (instance / "portal.sqlite3").read_bytes() == before


def test_an_import_without_disk_space_fails_with_one_line_and_imports_nothing(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("email\n" + "".join(f"customer{number}@example.com\n" for number in range(8000)))
    elsewhere, there = tmp_path / "instance", disk.path / "instance"
    for instance in (elsewhere, there):
        assert run_portal(instance, "db", "upgrade").returncode == 0
    disk.fill(leave=300_000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert_no_room(run_portal(there, "customer", "import", str(file)))
    monkeypatch.setenv("TMPDIR", str(disk.path))  # not used: the temporary tables are beside the database
    assert run_portal(elsewhere, "customer", "import", str(file)).returncode == 0
    disk.empty()
    for instance, imported in ((elsewhere, 8000), (there, 0)):
        with closing(sqlite3.connect(instance / "portal.sqlite3")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT count(*) FROM contact").fetchone() == (imported,)
    assert run_portal(there, "customer", "import", str(file)).returncode == 0
