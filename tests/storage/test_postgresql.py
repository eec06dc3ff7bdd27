"""PostgreSQL servers, databases and roles that are set up in unusual ways."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import literal, select

from portal.storage.database import Database, open_database
from portal.storage.models.base import UtcDateTime
from portal.storage.postgresql import SESSION
from tests.cli.process import run_portal
from tests.conftest import SECRET_KEY
from tests.servers.postgres import Postgres

ODD = {
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "iso_8601",
    "timezone": "'Asia/Kolkata'",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.engine.dispose()


def test_session_settings_override_those_of_the_database(postgres: Postgres) -> None:
    url = postgres.new_database("odd")
    with postgres.connect() as connection:
        for name, value in ODD.items():
            connection.execute(f"ALTER DATABASE odd SET {name} = {value}".encode())
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with opened(url) as database, database.read() as connection:
        assert connection.execute(select(literal(now, UtcDateTime))).scalar_one() == now
        assert connection.exec_driver_sql("SELECT now()").scalar_one().utcoffset().total_seconds() == 0
        found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in SESSION}
        assert connection.exec_driver_sql("SHOW client_encoding").scalar_one() == "UTF8"
    assert found == {**SESSION, "datestyle": "ISO, DMY"}


def test_settings_in_the_url_take_precedence(postgres: Postgres) -> None:
    options = "?options=-c%20statement_timeout%3D5s%20-c%20search_path%3Dportal"
    with opened(postgres.url() + options) as database, database.read() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "5s"
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "portal"
        assert connection.exec_driver_sql("SHOW datestyle").scalar_one() == "ISO, MDY"
        driver_connection: Any = connection.connection.driver_connection
        assert driver_connection.prepare_threshold == 5, "without a pooler, statements are prepared"


@pytest.mark.parametrize("encoding", ["LATIN1", pytest.param("SQL_ASCII", marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "command",
    [
        ("serve",),
        *(
            pytest.param(command, marks=pytest.mark.full)
            for command in (("db", "upgrade"), ("db", "check"), ("worker",))
        ),
    ],
)
def test_a_database_that_is_not_in_utf_8_is_refused_by_name(
    postgres: Postgres, tmp_path: Path, encoding: str, command: tuple[str, ...]
) -> None:
    postgres.new_database("old")
    with postgres.connect() as connection:
        connection.execute("DROP DATABASE old")
        connection.execute(f"CREATE DATABASE old TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'".encode())
    outcome = run_portal(tmp_path, *command, DATABASE_URL=postgres.url("old"), SECRET_KEY=SECRET_KEY)
    assert outcome.returncode == 1
    assert f"The database has the encoding {encoding}" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
