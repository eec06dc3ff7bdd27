"""While it serves, the database file is removed, replaced, made read-only or damaged; and repaired again."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.domain.context import Context
from portal.storage import schema
from portal.storage.backends import DatabaseUnavailable
from portal.storage.database import Database, open_database
from tests.servers.disk import Disk
from tests.web.conftest import PASSWORD, Site
from tests.web.expectations import assert_error_page

pytestmark = [pytest.mark.on_sqlite, pytest.mark.full]

EMAIL = "ada@example.com"
Mend = Callable[[], object]


def file_of(site: Site) -> Path:
    return Path(str(site.context.database.engine.url.database))


def end_open_state(site: Site) -> None:
    """Move all data into the one file; the connections stay open."""
    site.context.database.scrub()


def remove(file: Path) -> Mend:
    moved = file.rename(file.with_name("moved"))
    return lambda: moved.rename(file)


def put_an_empty_file_in_its_place(file: Path) -> Mend:
    moved = file.rename(file.with_name("moved"))
    file.touch()
    return lambda: moved.replace(file)


def put_another_file_in_its_place(file: Path) -> Mend:
    moved = file.rename(file.with_name("moved"))
    file.write_bytes(b"this is no database" * 400)
    return lambda: moved.replace(file)


def damage(file: Path) -> Mend:
    """Overwrite all pages except the first; the file stays the same one."""
    whole = file.read_bytes()
    overwrite(file, whole[:4096] + b"\x5a" * (len(whole) - 4096))
    return lambda: overwrite(file, whole)


def damage_the_first_page(file: Path) -> Mend:
    whole = file.read_bytes()
    overwrite(file, b"\x5a" * 4096 + whole[4096:])
    return lambda: overwrite(file, whole)


def overwrite(file: Path, content: bytes) -> None:
    with file.open("r+b") as opened:
        opened.write(content)


@pytest.mark.parametrize(
    "break_it",
    [remove, put_an_empty_file_in_its_place, put_another_file_in_its_place, damage, damage_the_first_page],
)
def test_a_lost_database_is_a_503_until_it_is_back(site: Site, break_it: Callable[[Path], Mend]) -> None:
    signed_in, browser = site.customer(EMAIL), site.browser()
    login = browser.open("/login").form()
    end_open_state(site)
    before, files = site.rows(), set(file_of(site).parent.iterdir())
    # SQLite does not read again what a connection has in its cache: this tests what happens when it must.
    site.context.database.engine.dispose()
    mend = break_it(file_of(site))
    try:
        for _ in range(2):
            page = browser.post(login, {"email": EMAIL, "password": PASSWORD})
            assert_error_page(page, 503)
            assert page.headers["Retry-After"]
            assert_error_page(signed_in.open("/account"), 503)
            assert browser.send("/healthz").status == 200
            assert browser.send("/readyz").status == 503
        if break_it is remove:
            assert not file_of(site).exists(), "an empty database looks like the loss of every customer"
    finally:
        mend()
    assert browser.send("/readyz").status == 200
    assert signed_in.is_signed_in
    assert site.rows() == before
    assert browser.post(login, {"email": EMAIL, "password": PASSWORD}).status == 302
    assert {path.name for path in file_of(site).parent.iterdir()} == {path.name for path in files}


def test_pages_cached_from_a_damaged_file_are_discarded(context: Context) -> None:
    file = Path(str(context.database.engine.url.database))
    with context.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE filler (content BLOB)")
        for _ in range(3000):  # more than its cache holds
            connection.exec_driver_sql("INSERT INTO filler VALUES (randomblob(1000))")
    context.database.scrub()

    def total() -> int:
        with context.database.read() as connection:
            return int(connection.exec_driver_sql("SELECT sum(length(content)) FROM filler").scalar_one())

    assert total() == 3_000_000
    mend = damage(file)
    with pytest.raises(DatabaseUnavailable, match="malformed"):
        total()
    mend()
    assert total() == 3_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with Disk(tmp_path / "disk", mebibytes=16) as disk:
        yield disk


@pytest.fixture
def database(disk: Disk) -> Iterator[Database]:
    """A portal on a disk of its own, with no connection open."""
    file = disk.path / "portal.sqlite3"
    file.touch()
    database = open_database(f"sqlite:///{file}")
    schema.upgrade(database)
    database.engine.dispose()
    yield database
    database.engine.dispose()


def rename(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE organisation SET name = ?", (name,))


def name_in(database: Database) -> str:
    with database.read() as connection:
        return str(connection.exec_driver_sql("SELECT name FROM organisation").scalar_one())


def test_a_disk_read_only_for_a_while_loses_nothing(database: Database, disk: Disk) -> None:
    rename(database, "before")
    database.engine.dispose()
    disk.close_to_writers()
    with pytest.raises(DatabaseUnavailable):
        rename(database, "meanwhile")
    disk.open_to_writers()
    assert name_in(database) == "before"
    rename(database, "after")
    assert name_in(database) == "after"


def test_connections_opened_read_only_are_not_reused(database: Database, disk: Disk) -> None:
    """While another connection has the file open for writing, SQLite opens it for readers without write permission."""
    view = disk.path.with_name("view")
    view.mkdir()
    name_in(database)
    subprocess.run(["mount", "--bind", disk.path, view], check=True)
    seen = open_database(f"sqlite:///{view}/portal.sqlite3")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", view], check=True)
        with pytest.raises(DatabaseUnavailable, match="readonly"):
            rename(seen, "meanwhile")
        assert name_in(seen) == "Customer portal"
        subprocess.run(["mount", "-o", "remount,bind,rw", view], check=True)
        with pytest.raises(DatabaseUnavailable, match="readonly"):
            rename(seen, "by the connection that has just read")
        rename(seen, "after")
    finally:
        seen.engine.dispose()
        subprocess.run(["umount", "--lazy", view], check=True)
    assert name_in(database) == "after"
