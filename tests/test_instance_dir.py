import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from portal.instance_dir import prepare_database, secret_key, upgrade_database
from portal.settings import Settings, WrongSetting, load_settings
from portal.storage.database import open_database
from portal.storage.schema import DatabaseProblem
from tests.servers.processes import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path / "instance")})


@pytest.fixture
def database_file(settings: Settings) -> Path:
    return settings.instance_path / "portal.sqlite3"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def in_processes(count: int, settings: Settings, code: str) -> list[str]:
    """Run the same code in `count` processes at the same time; return what they print."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", f"from portal.settings import load_settings\nsettings = load_settings()\n{code}"],
            env={**os.environ, "PORTAL_INSTANCE_PATH": str(settings.instance_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    answers = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return answers


def test_the_key_is_made_once_and_for_its_owner_alone(settings: Settings) -> None:
    key = secret_key(settings)
    assert len(key) >= 48
    assert secret_key(settings) == key
    assert mode(settings.instance_path) == 0o700
    assert mode(settings.instance_path / "secret.key") == 0o600


def test_a_configured_key_is_taken_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "instance"
    key = "4kqzW9sYx2LfTn7bVh"
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(path), "PORTAL_SECRET_KEY": key * 2})
    assert secret_key(settings) == key * 2
    assert not path.exists()


@pytest.mark.full
def test_processes_that_start_at_once_share_one_key(settings: Settings) -> None:
    code = """
import secrets, time
from portal.instance_dir import secret_key
make = secrets.token_urlsafe
secrets.token_urlsafe = lambda length: time.sleep(1) or make(length)  # long enough for the others to come meanwhile
print(secret_key(settings))
"""
    answers = in_processes(4, settings, code)
    assert set(answers) == {secret_key(settings) + "\n"}


def test_an_existing_folder_is_made_private(settings: Settings) -> None:
    settings.instance_path.mkdir(0o755)
    secret_key(settings)
    assert mode(settings.instance_path) == 0o700


@pytest.mark.parametrize(
    "name",
    ["secret.key", "portal.toml", "portal.sqlite3", "instance.lock", "serving.lock", "database-was-made", "README.md"],
)
def test_a_folder_with_files_of_the_portal_is_made_private(settings: Settings, name: str) -> None:
    settings.instance_path.mkdir(0o755)
    (settings.instance_path / name).write_text("4kqzW9sYx2LfTn7bVh0Q" * 3 + "abcd")
    secret_key(settings)
    assert mode(settings.instance_path) == 0o700


def test_a_folder_of_another_owner_is_used_unchanged(settings: Settings) -> None:
    settings.instance_path.mkdir(0o755)
    (settings.instance_path / "theirs").write_text("")
    for _ in range(2):
        secret_key(settings)
        prepare_database(settings)
        upgrade_database(settings)
    assert mode(settings.instance_path) == 0o755
    own = [path for path in settings.instance_path.iterdir() if path.name != "theirs"]
    assert own
    assert {mode(path) for path in own} == {0o600}


def test_a_private_folder_is_accepted_with_any_content(settings: Settings) -> None:
    settings.instance_path.mkdir(0o700)
    (settings.instance_path / "lost+found").mkdir()
    assert secret_key(settings) == secret_key(settings)


def test_a_key_of_others_is_left_as_it_is(settings: Settings) -> None:
    settings.instance_path.mkdir(0o700)
    theirs = settings.instance_path / "secret.key"
    theirs.write_text("-----BEGIN PRIVATE KEY-----")
    theirs.chmod(0o640)
    with pytest.raises(WrongSetting, match="empty or damaged"):
        secret_key(settings)
    assert mode(theirs) == 0o640


@pytest.mark.parametrize("content", [b"", b"\n", b"too short", b"\xff" * 64, b"x" * 63 + b" "])
def test_a_damaged_key_is_refused_and_not_shown(settings: Settings, content: bytes) -> None:
    settings.instance_path.mkdir()
    (settings.instance_path / "secret.key").write_bytes(content)
    with pytest.raises(WrongSetting, match="empty or damaged") as refused:
        secret_key(settings)
    assert "short" not in str(refused.value)
    assert (settings.instance_path / "secret.key").read_bytes() == content


def test_leftovers_of_a_killed_start_are_ignored(settings: Settings) -> None:
    settings.instance_path.mkdir(0o700)
    (settings.instance_path / "secret.key.new").write_text("half a k")
    assert len(secret_key(settings)) >= 48


@pytest.mark.parametrize("place", ["file/instance", "file"])
def test_a_folder_that_cannot_be_had_names_the_setting(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path / "other")})
    object.__setattr__(settings, "instance_path", tmp_path / place)
    with pytest.raises(WrongSetting, match="PORTAL_INSTANCE_PATH: cannot be used"):
        secret_key(settings)


def test_a_new_instance_gets_a_database_for_its_owner_alone(settings: Settings, database_file: Path) -> None:
    prepare_database(settings)
    assert mode(database_file) == 0o600
    database = open_database(settings.database_url)
    with database.read() as connection:
        assert connection.execute(text("SELECT slug, name FROM organisation")).one() == ("default", "Customer portal")
    database.engine.dispose()


def test_a_database_readable_by_others_is_made_private(settings: Settings, database_file: Path) -> None:
    prepare_database(settings)
    database_file.chmod(0o644)
    prepare_database(settings)
    assert mode(database_file) == 0o600


@pytest.mark.full
def test_starts_at_once_migrate_one_after_another(settings: Settings) -> None:
    code = "from portal.instance_dir import prepare_database\nprepare_database(settings)\nprint('ready')"
    assert in_processes(4, settings, code) == ["ready\n"] * 4


def lose_file(path: Path) -> None:
    path.unlink()


def empty_file(path: Path) -> None:
    path.write_bytes(b"")


def put_other_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


@pytest.mark.parametrize("lose", [lose_file, empty_file, put_other_database])
def test_a_lost_database_is_refused_until_the_operator_creates_a_new_one(
    settings: Settings, database_file: Path, lose: Callable[[Path], None]
) -> None:
    prepare_database(settings)
    lose(database_file)
    for _ in range(2):
        with pytest.raises(DatabaseProblem, match="is missing or empty"):
            prepare_database(settings)
    upgrade_database(settings)
    prepare_database(settings)


def test_a_file_that_is_no_database_is_refused(settings: Settings, database_file: Path) -> None:
    settings.instance_path.mkdir()
    database_file.write_bytes(b"not a database, not by far" * 100)
    with pytest.raises(DatabaseProblem, match="file is not a database"):
        prepare_database(settings)


def test_a_damaged_page_is_refused(settings: Settings, database_file: Path) -> None:
    prepare_database(settings)
    content = bytearray(database_file.read_bytes())
    content[8192:] = b"\x5a" * (len(content) - 8192)
    database_file.write_bytes(content)
    with pytest.raises(DatabaseProblem, match=r"portal\.sqlite3"):
        prepare_database(settings)


def test_a_schema_of_a_newer_version_is_refused(settings: Settings, database_file: Path) -> None:
    prepare_database(settings)
    with sqlite3.connect(database_file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseProblem, match="9999"):
        prepare_database(settings)


@pytest.mark.parametrize("name", ["what?", "50%41", "number#1", "mode=ro?mode=rw"])
def test_the_database_is_in_its_folder_for_any_folder_name(tmp_path: Path, name: str) -> None:
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path / name)})
    prepare_database(settings)
    assert (tmp_path / name / "portal.sqlite3").stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    prepare_database(settings)


def test_a_database_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nowhere/portal.db"
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path), "PORTAL_DATABASE_URL": url})
    with pytest.raises(DatabaseProblem, match="No such file or directory"):
        prepare_database(settings)


def test_a_database_that_names_a_folder_is_refused_and_the_folder_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(0o755)
    environ = {"PORTAL_INSTANCE_PATH": str(tmp_path / "instance"), "PORTAL_DATABASE_URL": f"sqlite:///{folder}"}
    with pytest.raises(DatabaseProblem, match="it is a folder"):
        prepare_database(load_settings(environ))
    assert folder.stat().st_mode & 0o777 == 0o755


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_text(path: Path) -> None:
    path.write_text("notes of another program")


def make_short_text(path: Path) -> None:
    path.write_text("SQLite")


@pytest.mark.parametrize(
    ("make", "problem"),
    [(make_pipe, "not a regular file"), (make_text, "not a database"), (make_short_text, "not a database")],
)
@pytest.mark.parametrize("use", [prepare_database, upgrade_database])
def test_a_database_that_names_a_file_of_others_is_refused_and_the_file_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], problem: str, use: Callable[[Settings], None]
) -> None:
    theirs = tmp_path / "theirs"
    make(theirs)
    theirs.chmod(0o664)
    environ = {"PORTAL_INSTANCE_PATH": str(tmp_path / "instance"), "PORTAL_DATABASE_URL": f"sqlite:///{theirs}"}
    with pytest.raises(DatabaseProblem, match=problem):
        use(load_settings(environ))
    assert mode(theirs) == 0o664
    assert not (tmp_path / "instance" / "database-was-made").exists()
