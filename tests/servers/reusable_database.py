"""A PostgreSQL database that tests reuse: wiped before each, which is fifty times as fast as creating one."""

from typing import Any, Self

import psycopg

from portal.storage import schema
from portal.storage.database import open_database
from portal.storage.models import METADATA
from tests.servers.postgres import Postgres

_NAME = "reusable_database"
_MADE = ("organisation", "alembic_version")
"""The tables that the migrations write into."""


class ReusableDatabase:
    """A migrated database, which is as new after each `wipe`: ids begin at 1 again, and the default organisation
    exists.
    """

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self.url = server.url(_NAME)
        self._connection = self._make()
        names = [table.name for table in reversed(METADATA.sorted_tables)]
        self._wipe = "; ".join(
            [
                *(f"DELETE FROM {name}" for name in names),  # noqa: S608 - the names of the portal's tables
                "DELETE FROM alembic_version",
                *(f"INSERT INTO {name} SELECT * FROM as_made.{name}" for name in _MADE),  # noqa: S608 - the portal's, too
                "SELECT setval(seqrelid, 1, false) FROM pg_sequence",
                "SELECT setval('organisation_id_seq', 1)",
            ]
        )

    def wipe(self) -> Self:
        """Create the database again."""
        try:
            self._connection.execute(self._wipe.encode())
        except psycopg.Error:  # a test has dropped tables, or stopped the server
            self._connection.close()
            self._connection = self._make()
        return self

    def close(self) -> None:
        self._connection.close()

    def _make(self) -> psycopg.Connection[Any]:
        database = open_database(self._server.new_database(_NAME))
        schema.upgrade(database)
        database.engine.dispose()
        connection = self._server.connect(_NAME)
        connection.execute("SET lock_timeout = '10s'")
        connection.execute("CREATE SCHEMA as_made")
        for name in _MADE:
            connection.execute(f"CREATE TABLE as_made.{name} AS TABLE {name}")
        return connection
