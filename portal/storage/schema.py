"""Check the schema of a database and migrate it to the code's."""

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from portal.storage.database import Database

if TYPE_CHECKING:
    from alembic.config import Config  # slow to load, and rarely needed

_MIGRATION_FILE = re.compile(r"([0-9]{4})_[a-z_]+\.py", re.ASCII)
"""The history is linear; each file name starts with its revision, numbered in order."""
_MIGRATION_LOCK = 4_913_027_711
"""The key of the PostgreSQL advisory lock of the portal's migrations."""


class DatabaseProblem(Exception):
    """The portal cannot run on this database. The message is one line that says what to do."""


def head() -> str:
    """Return the revision of the code's schema: `version_num` in `alembic_version` of a current database."""
    return revisions()[-1]


@cache
def revisions() -> list[str]:
    """Return the revisions of all schemas that the code knows, the oldest first.

    From the file names, because Alembic takes 0.1 s to load, and starts and health checks have nothing to migrate.
    """
    names = (found.name for found in files("portal.storage.migrations").joinpath("versions").iterdir())
    return sorted(found[1] for name in names if (found := _MIGRATION_FILE.fullmatch(name)))


def current_problem(database: Database) -> str | None:
    """Return why the code cannot work with a database, in one line; None if it has the code's schema."""
    with database.read() as connection:
        if problem := _encoding_problem(connection):
            return problem
        revision = _revision(connection)
    if revision is None:
        return "The database has no schema yet: run `portal db upgrade`."
    if revision not in revisions():
        return _unknown(revision)
    if revision != head():
        return f"The database has the older schema {revision}, the code needs {head()}: run `portal db upgrade`."
    return None


def has_schema(database: Database) -> bool:
    """Return whether a database was ever migrated."""
    with database.read() as connection:
        return _revision(connection) is not None


def upgrade(database: Database) -> None:
    """Migrate a database to the code's schema, in one transaction and one process at a time.

    Raises DatabaseProblem for a database that is not in UTF-8, and for an unknown schema (of a newer version).
    """
    with database.without_time_limit().write() as connection:
        if problem := _encoding_problem(connection):
            raise DatabaseProblem(problem)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        revision = _revision(connection)
        if revision == head():
            return
        if revision is not None and revision not in revisions():
            raise DatabaseProblem(_unknown(revision))
        from alembic import command  # slow to load, and rarely needed

        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def alembic_config() -> "Config":
    from alembic.config import Config  # slow to load, and rarely needed

    config = Config()
    config.set_main_option("script_location", "portal.storage:migrations")
    return config


def _encoding_problem(connection: Connection) -> str | None:
    """Return the problem of the encoding of a PostgreSQL database, which cannot be changed; None if it is UTF-8."""
    if connection.dialect.name != "postgresql":
        return None
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding == "UTF8":
        return None
    return (
        f"The database has the encoding {encoding}, which cannot hold every name: make one with"
        " CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'."
    )


def _revision(connection: Connection) -> str | None:
    """Return the revision in `alembic_version`; several (no version of the portal does that) are joined to one text."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return ", ".join(sorted(connection.scalars(text("SELECT version_num FROM alembic_version")))) or None


def _unknown(revision: str) -> str:
    return (
        f"The database has the schema {revision}, which this version of the portal does not know:"
        " install the version that made it, or a newer one."
    )
