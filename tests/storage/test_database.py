"""A database that is away, is replaced, or rolls transactions back."""

from collections.abc import Callable
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select, text, update

from portal.domain.context import Context
from portal.storage.backends import DatabaseUnavailable, TransactionConflict
from portal.storage.database import MAX_ATTEMPTS, open_database, retried
from portal.storage.models import Contact, Organisation
from tests.domain.instrumentation import in_parallel
from tests.domain.scene import ADA, Scene

OUTRUN = text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")


def file_of(context: Context) -> Path:
    return Path(str(context.database.engine.url.database))


def slug_in(context: Context) -> str:
    with context.database.read() as connection:
        return connection.execute(select(Organisation.c.slug)).scalar_one()


def test_a_statement_that_reads_sees_what_was_written_since_the_one_before(context: Context) -> None:
    with context.database.read() as connection:
        assert connection.execute(select(Organisation.c.name)).scalar_one() != "Sklo"
        with context.database.write() as other:
            other.execute(update(Organisation).values(name="Sklo"))
        assert connection.execute(select(Organisation.c.name)).scalar_one() == "Sklo"


@pytest.mark.on_sqlite
def test_a_missing_database_is_not_created(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/none.sqlite3")
    with pytest.raises(DatabaseUnavailable, match="unable to open"), database.write():
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.on_sqlite
def test_temporary_data_is_spilled_beside_the_database(context: Context) -> None:
    open_database(
        f"sqlite:///{file_of(context)}"
    ).engine.dispose()  # threads of this process may have changed it before
    with context.database.dedicated_connection() as connection:
        connection.exec_driver_sql("PRAGMA temp.cache_size = 10")
        connection.exec_driver_sql("CREATE TEMPORARY TABLE much (words)")
        connection.exec_driver_sql("INSERT INTO much VALUES (hex(randomblob(1000000)))")
        opened = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    spilled = [path for path in opened if "etilqs_" in path]
    assert spilled
    assert {str(Path(path).parent) for path in spilled} == {str(file_of(context).parent)}


@pytest.mark.on_sqlite
def test_a_moved_database_is_unavailable_until_it_is_back(context: Context) -> None:
    file = file_of(context)
    assert slug_in(context) == "default"
    moved = file.rename(file.with_name("moved"))
    with pytest.raises(DatabaseUnavailable), context.database.write() as connection:
        connection.execute(update(Organisation).values(slug="written into a file that is gone"))
    assert not file.exists()
    moved.rename(file)
    assert slug_in(context) == "default"


@pytest.mark.on_sqlite
def test_a_replaced_database_file_is_used(context: Context, migrated_file: Path) -> None:
    with context.database.write() as connection:
        connection.execute(update(Organisation).values(slug="other"))
    with context.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    file = file_of(context)
    file.unlink()
    file.write_bytes(migrated_file.read_bytes())
    assert slug_in(context) == "default"


@pytest.mark.on_sqlite
def test_a_damaged_page_is_reported_as_an_unavailable_database(context: Context) -> None:
    assert slug_in(context) == "default"
    context.database.engine.dispose()
    with file_of(context).open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * 200_000)
    with pytest.raises(DatabaseUnavailable, match="malformed"):
        slug_in(context)


@pytest.mark.on_sqlite
def test_a_full_database_refuses_writes_and_loses_nothing(scene: Scene) -> None:
    engine = scene.context.database.engine
    identity = scene.join()
    limit = [scene.rows(text("PRAGMA page_count"))[0][0] + 4]

    def set_limit(connection: Any, *_rest: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {limit[0]}")

    event.listen(engine, "checkout", set_limit)
    told: list[str] = []

    def add_many() -> None:
        for number in range(500):
            scene.add_guest(f"a{number}@example.com")
            told.append(f"a{number}@example.com")

    def register_many() -> None:
        for number in range(200):  # the first rows may still fit into existing pages
            scene.elsewhere(f"198.51.{number}.1").register(f"b{number}@example.com")
            told.append(f"b{number}@example.com")

    with pytest.raises(DatabaseUnavailable, match="full"):
        add_many()
    with pytest.raises(DatabaseUnavailable, match="full"):
        register_many()
    assert scene.is_signed_in(identity)
    limit[0] = 1_000_000
    scene.register("bob@example.com")
    event.remove(engine, "checkout", set_limit)
    assert scene.rows(text("PRAGMA integrity_check")) == [("ok",)]
    assert {email for (email,) in scene.rows(select(Contact.c.email))} == {ADA, "bob@example.com", *told}
    assert [mail.recipient for mail in scene.mails()][-1:] == ["bob@example.com"]


@pytest.mark.differs_on_postgresql
def test_a_missing_table_is_another_schema_and_no_fault_of_the_statement(context: Context) -> None:
    with context.database.write() as connection:
        connection.execute(text("ALTER TABLE identity RENAME TO elsewhere"))
    with pytest.raises(DatabaseUnavailable, match="identity"), context.database.read() as connection:
        connection.execute(text("SELECT id FROM identity"))


@pytest.mark.on_postgresql
@pytest.mark.parametrize("state", ["28000", "3D000", "3F000", "42501", "53100", "53200", "57P01", "57P03"])
def test_a_server_that_refuses_connections_is_reported_as_unavailable(context: Context, state: str) -> None:
    refusal = text(f"DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{state}'; END $$")
    with pytest.raises(DatabaseUnavailable, match="not now"), context.database.read() as connection:
        connection.execute(refusal)


@pytest.mark.on_postgresql
def test_a_server_that_takes_no_writes_any_more_is_left_for_the_one_that_does(context: Context) -> None:
    assert slug_in(context) == "default"
    with context.database.engine.connect() as connection:
        connection.execute(text("SET default_transaction_read_only = on"))
        connection.commit()
    change = update(Organisation).values(name="Shop")
    with pytest.raises(DatabaseUnavailable, match="read-only"), context.database.write() as connection:
        connection.execute(change)
    with context.database.write() as connection:
        connection.execute(change)


@pytest.mark.on_postgresql
def test_a_connection_that_the_server_has_ended_is_replaced(context: Context) -> None:
    with context.database.read() as connection:
        pid = backend_of(connection)
    other = open_database(context.database.engine.url.render_as_string(hide_password=False))
    with other.write() as connection:
        assert connection.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid}).scalar_one()
    other.engine.dispose()
    with context.database.read() as connection:
        assert backend_of(connection) != pid


def backend_of(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


@pytest.mark.on_postgresql
def test_two_deadlocked_transactions_both_succeed(scene: Scene) -> None:
    ids = [scene.add_guest("ada@example.com"), scene.add_guest("eve@example.com")]
    both_hold_one = Barrier(2)
    begun: list[str] = []

    @retried
    def name_both(order: list[int], name: str) -> None:
        begun.append(name)
        with scene.context.database.write() as connection:
            for number, contact_id in enumerate(order):
                if number and begun.count(name) == 1:
                    both_hold_one.wait(10)
                connection.execute(update(Contact).where(Contact.c.id == contact_id).values(first_name=name))

    works: list[Callable[[], None]] = [lambda: name_both(ids, "A"), lambda: name_both(ids[::-1], "B")]
    assert in_parallel(works) == [None, None]
    assert len(begun) > 2, "no call was repeated"
    assert len(set(scene.rows(select(Contact.c.first_name)))) == 1


@pytest.mark.on_postgresql
def test_a_transaction_conflict_is_raised_after_three_attempts(context: Context) -> None:
    begun: list[int] = []

    @retried
    def always_outrun() -> None:
        begun.append(1)
        with context.database.write() as connection:
            connection.execute(OUTRUN)

    with pytest.raises(TransactionConflict) as caught:
        always_outrun()
    assert isinstance(caught.value, DatabaseUnavailable)
    assert len(begun) == MAX_ATTEMPTS == 3


@pytest.mark.on_postgresql
def test_a_transaction_with_a_longer_timeout_does_not_change_later_ones(context: Context) -> None:
    def time_out(engine: Engine) -> str:
        with engine.connect() as connection:
            return str(connection.execute(text("SHOW statement_timeout")).scalar_one())

    with context.database.without_time_limit().write() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"
    assert time_out(context.database.engine) == "2s"


@pytest.mark.on_postgresql
def test_a_dedicated_connection_has_no_timeout_and_is_not_shared(context: Context) -> None:
    def ask(connection: Connection) -> tuple[str, int]:
        found = connection.execute(text("SELECT current_setting('statement_timeout'), pg_backend_pid()")).one()
        return found[0], found[1]

    with context.database.dedicated_connection() as connection:
        time_out, own = ask(connection)
        assert time_out == "0"
    with context.database.read() as connection:
        time_out, another = ask(connection)
    assert time_out == "2s"
    assert another != own


@pytest.mark.differs_on_postgresql
def test_temporary_tables_go_with_the_connection_that_made_them(context: Context) -> None:
    for _ in range(2):
        with context.database.dedicated_connection() as connection, connection.begin():
            connection.execute(text("CREATE TEMPORARY TABLE staged (id INTEGER)"))


@pytest.mark.differs_on_postgresql
def test_a_dedicated_connection_reports_an_unavailable_database(context: Context) -> None:
    with pytest.raises(DatabaseUnavailable), context.database.dedicated_connection() as connection, connection.begin():
        connection.execute(text("SELECT nothing FROM nowhere"))
