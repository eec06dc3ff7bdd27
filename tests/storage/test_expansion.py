"""Migrations only add, so that a portal of the previous version keeps serving."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from portal.storage import schema
from portal.storage.database import Database, open_database
from tests.storage.test_migrations import REVISIONS

REASON = "takes_away"
"""A migration that must remove something says in its module, under this name, why no version in use needs it."""


@dataclass(frozen=True)
class Table:
    """The parts of a schema that statements depend on."""

    columns: dict[str, tuple[str, bool, bool]]
    """By its name: a column's type, whether it may be NULL, whether it has a default."""
    unique: set[frozenset[str]]
    foreign: set[tuple[str, ...]]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "portal.sqlite3"
    path.touch()
    database = open_database(f"sqlite:///{path}")
    yield database
    database.engine.dispose()


def tables_of(connection: Connection) -> dict[str, Table]:
    found = inspect(connection)
    return {
        name: Table(
            {
                column["name"]: (str(column["type"]), bool(column["nullable"]), column["default"] is not None)
                for column in found.get_columns(name)
            },
            {
                *(frozenset(one["column_names"]) for one in found.get_unique_constraints(name)),
                *(frozenset(filter(None, one["column_names"])) for one in found.get_indexes(name) if one["unique"]),
            },
            {tuple(one["constrained_columns"]) for one in found.get_foreign_keys(name)},
        )
        for name in found.get_table_names()
    }


def taken_away(before: dict[str, Table], after: dict[str, Table]) -> list[str]:
    """Return what statements for the previous schema could no longer do with the new one."""
    return [
        f"{name}: {what}"
        for name, table in before.items()
        for what in (
            [*_of_columns(table, after[name]), *_of_rules(table, after[name])] if name in after else ["is gone"]
        )
    ]


def _of_columns(before: Table, after: Table) -> Iterator[str]:
    for name, column in before.columns.items():
        if name not in after.columns:
            yield f"{name} is gone"
        elif after.columns[name] != column:
            yield f"{name} is another kind of column"
    for name in after.columns.keys() - before.columns.keys():
        _, may_be_null, has_default = after.columns[name]
        if not may_be_null and not has_default:
            yield f"{name} is new and must be given"


def _of_rules(before: Table, after: Table) -> Iterator[str]:
    for columns in before.unique - after.unique:
        yield f"{sorted(columns)} are unique no more"  # an INSERT ... ON CONFLICT names them
    for columns in after.unique - before.unique:
        if columns <= before.columns.keys():
            yield f"{sorted(columns)} must be unique now"
    for columns_of_key in after.foreign - before.foreign:
        if before.columns.keys() >= set(columns_of_key):
            yield f"{list(columns_of_key)} must refer to something now"


def upgrade_to(database: Database, revision: str) -> dict[str, Table]:
    config = schema.alembic_config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        return tables_of(connection)


@pytest.mark.parametrize(("before", "revision"), list(pairwise(REVISIONS)))
def test_a_migration_removes_nothing_that_the_previous_version_uses(
    database: Database, before: str, revision: str
) -> None:
    found = taken_away(upgrade_to(database, before), upgrade_to(database, revision))
    script = ScriptDirectory.from_config(schema.alembic_config()).get_revision(revision)
    assert script is not None
    assert bool(found) == hasattr(script.module, REASON), found


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DROP TABLE handover", ["handover: is gone"]),
        ("ALTER TABLE contact DROP COLUMN city", ["contact: city is gone"]),
        ("ALTER TABLE contact RENAME COLUMN city TO town", ["contact: city is gone"]),
        ("CREATE UNIQUE INDEX of_phone ON contact (phone)", ["contact: ['phone'] must be unique now"]),
        ("DROP INDEX ix_organisation_hostname", ["organisation: ['hostname'] are unique no more"]),
        ("ALTER TABLE contact ADD COLUMN nickname VARCHAR(255)", []),
        ("ALTER TABLE contact ADD COLUMN visits INTEGER NOT NULL DEFAULT 0", []),
        ("ALTER TABLE contact ADD COLUMN parent INTEGER REFERENCES contact (id)", []),
        ("CREATE TABLE voucher (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)", []),
        ("DROP INDEX ix_outbox_due", []),
    ],
)
def test_the_check_finds_removed_columns(database: Database, statement: str, found: list[str]) -> None:
    before = upgrade_to(database, schema.head())
    with database.write() as connection:
        connection.execute(text(statement))
        assert taken_away(before, tables_of(connection)) == found


def test_the_check_finds_constraints_that_break_inserts_of_the_previous_version() -> None:
    before = Table({"id": ("INTEGER", False, False), "name": ("TEXT", True, False)}, set(), set())
    after = Table(
        {"id": ("INTEGER", False, False), "name": ("TEXT", False, False), "cost": ("INTEGER", False, False)},
        set(),
        {("name",)},
    )
    assert sorted(taken_away({"one": before}, {"one": after})) == [
        "one: ['name'] must refer to something now",
        "one: cost is new and must be given",
        "one: name is another kind of column",
    ]
