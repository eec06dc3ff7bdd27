"""The database schema: which one a database has, and how it becomes the code's."""

from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from portal.domain.database import Database

_MIGRATION_LOCK = 4_913_027_711
"""A number that only the portal's migrations lock (PostgreSQL advisory locks have numbers for names)."""


class DatabaseProblem(Exception):
    """The database cannot be served; the message is one line that says what to do."""


@cache
def head() -> str:
    """The revision of the code's schema: the `version_num` in `alembic_version` of a current database."""
    revision = _scripts().get_current_head()
    assert revision is not None  # noqa: S101 - the package always holds at least one migration
    return revision


def current_problem(database: Database) -> str | None:
    """What keeps the code from working with a database's schema, in one line; None when the schema is the code's."""
    with database.read() as connection:
        revision = _revision(connection)
    if revision is None:
        return "The database has no schema yet: run `portal db upgrade`."
    if revision not in _known():
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

    Raises DatabaseProblem for a schema that this code does not know: it belongs to a newer version.
    """
    with database.unhurried().write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        revision = _revision(connection)
        if revision == head():
            return
        if revision is not None and revision not in _known():
            raise DatabaseProblem(_unknown(revision))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "portal:migrations")
    return config


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in _scripts().walk_revisions())


def _revision(connection: Connection) -> str | None:
    """What `alembic_version` holds; several, which no version of the portal has made, together are one unknown one."""
    return ", ".join(sorted(MigrationContext.configure(connection).get_current_heads())) or None


def _unknown(revision: str) -> str:
    return (
        f"The database has the schema {revision}, which this version of the portal does not know:"
        " install the version that made it, or a newer one."
    )
