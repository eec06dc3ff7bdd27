"""The database schema: which one a database has, and how it becomes the code's."""

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from portal.storage.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATION_FILE = re.compile(r"([0-9]{4})_[a-z_]+\.py", re.ASCII)
"""Migrations are a line, each file named by its revision and numbered after the one it follows."""
_MIGRATION_LOCK = 4_913_027_711
"""A number that only the portal's migrations lock (PostgreSQL advisory locks have numbers for names)."""


class DatabaseProblem(Exception):
    """The database cannot be served; the message is one line that says what to do."""


def head() -> str:
    """The revision of the code's schema: the `version_num` in `alembic_version` of a current database."""
    return revisions()[-1]


@cache
def revisions() -> list[str]:
    """The revisions of all schemas that the code knows, the oldest first.

    Read from the names of the files, without Alembic: it takes a tenth of a second to load, and a start of an instance
    that is up to date, or a look at its health, has nothing to migrate.
    """
    names = (found.name for found in files("portal.storage.migrations").joinpath("versions").iterdir())
    return sorted(found[1] for name in names if (found := _MIGRATION_FILE.fullmatch(name)))


def current_problem(database: Database) -> str | None:
    """What keeps the code from working with a database, in one line; None when its schema is the code's."""
    with database.read() as connection:
        if problem := _encoding_problem(connection):
            return problem
        revision = _revision(connection)
    if revision is None:
        return "The database has no schema yet: run `portal db upgrade`."
    if revision not in revisions():
        return _unknown(revision)
    if revision != head():
        return f"The database has the older schema {revision}, the code wants {head()}: run `portal db upgrade`."
    return None


def has_schema(database: Database) -> bool:
    """Whether a database was ever migrated."""
    with database.read() as connection:
        return _revision(connection) is not None


def upgrade(database: Database) -> None:
    """Bring a database to the code's schema: all of it or, when anything fails, nothing; one process at a time.

    Raises DatabaseProblem for a database that is not in UTF-8, and for a schema that this code does not know: a newer
    version's.
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
        from alembic import command  # loaded only where something is to be migrated

        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def alembic_config() -> "Config":
    """Alembic's configuration: where the migrations are."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "portal.storage:migrations")
    return config


def _encoding_problem(connection: Connection) -> str | None:
    """What is wrong with the encoding of a PostgreSQL database, which its creator chose for good."""
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
    """What `alembic_version` holds; several, which no version of the portal has made, together are one unknown one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return ", ".join(sorted(connection.scalars(text("SELECT version_num FROM alembic_version")))) or None


def _unknown(revision: str) -> str:
    return (
        f"The database has the schema {revision}, which this version of the portal does not know:"
        " install the version that made it, or a newer one."
    )
