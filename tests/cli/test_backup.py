"""`portal backup` and `portal after-restore`."""

import shutil
import sqlite3
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import select

from portal.domain.context import Context
from portal.storage.models import Contact
from tests.cli.conftest import Run, add_contact
from tests.cli.process import run_portal, serving


def emails(path: Path) -> set[str]:
    """Return the addresses in a copy, read without the portal."""
    copy = sqlite3.connect(path)
    assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = {email for (email,) in copy.execute("SELECT email FROM contact")}
    copy.close()
    return found


def put_back(copy: Path, instance: Path) -> None:
    """Replace the database as docs/operations.md says: the files that SQLite keeps beside the old one are deleted with
    it.
    """
    for name in ("portal.sqlite3-wal", "portal.sqlite3-shm"):
        (instance / name).unlink(missing_ok=True)
    shutil.copy(copy, instance / "portal.sqlite3")


def test_a_backup_holds_all_data(run: Run, context: Context, tmp_path: Path) -> None:
    add_contact(context, "ada@example.com")
    outcome = run("backup", str(tmp_path / "copy.sqlite3"))
    assert outcome.status == 0, outcome.err
    assert emails(tmp_path / "copy.sqlite3") == {"ada@example.com"}
    assert (tmp_path / "copy.sqlite3").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.sqlite3"]


@pytest.mark.parametrize("name", ["copy?mode=ro", "copy#1", "copy%41", "file:copy"])
def test_a_backup_may_have_any_name(
    run: Run, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    add_contact(context, "ada@example.com")
    (tmp_path / "copies").mkdir()
    monkeypatch.chdir(tmp_path / "copies")
    outcome = run("backup", name)
    assert (outcome.status, outcome.err) == (0, "")
    assert [path.name for path in Path().iterdir()] == [name]
    assert emails(tmp_path / "copies" / name) == {"ada@example.com"}


@pytest.mark.full
def test_a_backup_is_consistent_while_others_write(context: Context, tmp_path: Path, instance: Path) -> None:
    for number in range(200):
        add_contact(context, f"a{number}@example.com")

    def write_on() -> None:
        for number in range(100):
            add_contact(context, f"b{number}@example.com")

    writer = Thread(target=write_on)
    writer.start()
    ended = run_portal(instance, "backup", str(tmp_path / "copy.sqlite3"))
    writer.join()
    assert ended.returncode == 0, ended.stderr
    found = emails(tmp_path / "copy.sqlite3")
    assert {f"a{number}@example.com" for number in range(200)} <= found
    assert {email for email in found if email.startswith("b")} == {
        f"b{number}@example.com" for number in range(len(found) - 200)
    }
    with context.database.read() as connection:
        assert len(connection.execute(select(Contact.c.id)).all()) == 300


def test_no_file_is_overwritten(run: Run, context: Context, instance: Path) -> None:
    assert "already" in run("backup", str(instance / "portal.sqlite3")).complaint
    assert run("db", "check").status == 0


def test_a_folder_that_is_not_there_is_one_line(run: Run, context: Context, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "copy.sqlite3"
    assert (
        run("backup", str(target)).complaint
        == f"Error: {target.parent}: there is no such folder for the copy; create it."
    )


def test_a_file_name_that_sqlite_cannot_open_is_one_line(run: Run, context: Context, tmp_path: Path) -> None:
    assert "UTF-8" in run("backup", str(tmp_path / "copy\udcff")).complaint
    assert list(tmp_path.glob("copy*")) == []


def test_without_a_database_there_is_nothing_to_copy(run: Run, tmp_path: Path) -> None:
    assert "no such database" in run("backup", str(tmp_path / "copy.sqlite3")).complaint
    assert not (tmp_path / "copy.sqlite3").exists()


@pytest.mark.full
def test_a_copy_that_was_put_back_is_settled_by_the_operator_or_at_the_start(
    context: Context, instance: Path, tmp_path: Path
) -> None:
    add_contact(context, "ada@example.com")
    context.database.engine.dispose()
    copy = tmp_path / "copy.sqlite3"
    assert run_portal(instance, "backup", str(copy)).returncode == 0
    put_back(copy, instance)
    assert "after-restore" in run_portal(instance, "worker").stderr
    ended = run_portal(instance, "after-restore")
    assert ended.stdout.startswith("Ended 0 links and 0 sessions; set 0 emails aside"), ended.stderr
    put_back(copy, instance)
    with serving(instance) as served:
        assert [line for line in served.complaints() if "restored copy" in line]
        served.process.terminate()
        assert served.end() == 0
    assert emails(instance / "portal.sqlite3") == {"ada@example.com"}


def test_after_restore_needs_the_schema(run: Run) -> None:
    assert "portal db upgrade" in run("after-restore").complaint
