from pathlib import Path

import pytest
from sqlalchemy import text

from portal.domain.context import Context
from portal.storage import schema
from tests.cli.conftest import Run


def test_check_fails_while_there_is_no_schema(run: Run) -> None:
    assert "portal db upgrade" in run("db", "check").complaint


def test_check_succeeds_after_upgrade(run: Run) -> None:
    assert run("db", "upgrade").status == 0
    outcome = run("db", "check")
    assert outcome.status == 0
    assert schema.head() in outcome.out


def test_upgrade_may_be_repeated(run: Run) -> None:
    assert run("db", "upgrade").status == 0
    assert run("db", "upgrade").status == 0


def test_a_schema_of_a_newer_version_is_refused_by_both(run: Run, context: Context) -> None:
    with context.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "9999" in run("db", "check").complaint
    assert "9999" in run("db", "upgrade").complaint
    assert "9999" in run("worker").complaint


@pytest.mark.parametrize("known", ["0001", schema.head()])
def test_a_schema_of_two_revisions_is_refused_by_both(run: Run, context: Context, known: str) -> None:
    with context.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :known"), {"known": known})
        connection.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
    for command in (("db", "check"), ("db", "upgrade"), ("worker",)):
        assert f"{known}, 9999" in run(*command).complaint


def test_upgrade_creates_a_new_database_after_a_lost_one(run: Run, instance: Path) -> None:
    run("db", "upgrade")
    (instance / "portal.sqlite3").unlink()
    assert run("db", "upgrade").status == 0
    assert run("db", "check").status == 0
