from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import OperationalError

from portal import schema
from portal.domain.database import Database, open_database
from portal.domain.models import Base
from portal.domain.organisations import UnknownOrganisation, get_organisation
from portal.schema import DatabaseProblem


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/portal.sqlite3")
    yield database
    database.engine.dispose()


def tables(database: Database) -> list[str]:
    with database.read() as connection:
        return inspect(connection).get_table_names()


def set_version(database: Database, version: str) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_the_migrations_make_the_tables_of_the_models(database: Database) -> None:
    schema.upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_every_constraint_has_the_name_that_the_models_give_it(database: Database, tmp_path: Path) -> None:
    schema.upgrade(database)
    other = open_database(f"sqlite:///{tmp_path}/models.sqlite3")
    with other.write() as connection:
        Base.metadata.create_all(connection)
    assert constraint_names(database) == constraint_names(other)
    other.engine.dispose()


def constraint_names(database: Database) -> set[str | None]:
    with database.read() as connection:
        found = inspect(connection)
        return {
            constraint["name"]
            for table in Base.metadata.tables
            for constraint in [
                found.get_pk_constraint(table),
                *found.get_foreign_keys(table),
                *found.get_unique_constraints(table),
                *found.get_indexes(table),
            ]
        }


def test_the_default_organisation_is_there(database: Database) -> None:
    schema.upgrade(database)
    with database.read() as connection:
        assert get_organisation(connection, "default").name == "Customer portal"
        with pytest.raises(UnknownOrganisation, match="'other'"):
            get_organisation(connection, "other")


def test_the_head_is_what_a_current_database_holds(database: Database) -> None:
    schema.upgrade(database)
    with database.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == schema.head()


def test_a_current_schema_has_no_problem(database: Database) -> None:
    schema.upgrade(database)
    assert schema.current_problem(database) is None


@pytest.mark.parametrize(("version", "advice"), [("9999", "install"), ("0000", "install")])
def test_an_unknown_schema_is_a_problem_and_is_left_alone(database: Database, version: str, advice: str) -> None:
    schema.upgrade(database)
    set_version(database, version)
    assert advice in (schema.current_problem(database) or "")
    with pytest.raises(DatabaseProblem, match=version):
        schema.upgrade(database)


def test_no_schema_is_a_problem(database: Database) -> None:
    assert "portal db upgrade" in (schema.current_problem(database) or "")


def test_a_migration_that_fails_half_way_leaves_nothing(database: Database) -> None:
    def make_disk_small(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 20")

    event.listen(database.engine, "connect", make_disk_small)
    with pytest.raises(OperationalError, match="full"):
        schema.upgrade(database)
    database.engine.dispose()
    event.remove(database.engine, "connect", make_disk_small)
    assert tables(database) == []
    schema.upgrade(database)
    assert schema.current_problem(database) is None
