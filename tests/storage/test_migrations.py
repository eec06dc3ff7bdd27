import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, event, func, inspect, select, text

from portal.domain.operations.mail_delivery import claim_next
from portal.domain.organisations import UnknownOrganisation, get_organisation
from portal.storage import schema
from portal.storage.clock import SystemClock
from portal.storage.database import Database, open_database
from portal.storage.models import METADATA, Contact, Link, Organisation, OutboxMail, Registration
from portal.storage.models.base import UtcDateTime
from portal.storage.schema import DatabaseProblem
from tests.domain.instrumentation import in_parallel
from tests.servers.postgres import Postgres

CUSTOMER = """
INSERT INTO contact
    (organisation_id, email, email_key, cu_ref_no, password_salt, newsletter, failed_passwords, created_at)
SELECT id, 'ada@example.com', 'ada@example.com', 'AAAAAAAAAAAAAAAA', :salt, false, 0, :now FROM organisation
"""
"""A customer, in the columns that every revision has."""
LIVES = (
    """INSERT INTO account (contact_id, password_hash, password_set_at, created_at)
    SELECT id, 'a hash', :now, :now FROM contact""",
    """INSERT INTO former_password (contact_id, password_hash, retired_at)
    SELECT id, 'an old hash', :now FROM contact""",
    """INSERT INTO identity (contact_id, digest, kept, created_at, seen_at, expires_at)
    SELECT id, :digest, true, :now, :now, :later FROM contact""",
    """INSERT INTO registration (public_id, contact_id, password_hash, newsletter, created_at)
    SELECT 'registration', id, 'a hash', false, :now FROM contact""",
    """INSERT INTO link (public_id, purpose, contact_id, registration_id, email, created_at, expires_at)
    SELECT 'link', 'verify', contact_id, id, 'ada@example.com', :now, :later FROM registration""",
    """INSERT INTO event (organisation_id, contact_id, kind, occurred_at)
    SELECT organisation_id, id, 'register', :now FROM contact""",
    """INSERT INTO outbox
        (organisation_id, contact_id, link_id, notice, recipient, message_id, state, attempts, due_at, created_at)
    SELECT organisation_id, contact.id, link.id, 'verify', contact.email, 'one', 'queued', 0, :now, :now
    FROM contact, link""",
    """INSERT INTO outbox
        (organisation_id, contact_id, notice, recipient, message_id, state, attempts, due_at, created_at)
    SELECT organisation_id, id, 'password_changed', email, 'another', 'queued', 0, :now, :now FROM contact""",
)
"""Their events, in the columns of the first revision."""
REVISIONS = schema.revisions()
"""The revisions, oldest first."""
Make = Callable[[str], Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Creates empty databases by name."""
    with ExitStack() as stack:

        def make_one(name: str) -> Database:
            if request.param == "sqlite":
                path = tmp_path / name
                path.touch()
                database = open_database(f"sqlite:///{path}")
            else:
                postgres: Postgres = request.getfixturevalue("postgres")
                database = open_database(postgres.new_database(name))
            stack.callback(database.engine.dispose)
            return database

        yield make_one


@pytest.fixture
def database(make: Make) -> Database:
    return make("migrated")


def upgrade_to(database: Database, revision: str) -> None:
    """Upgrade an empty database to an earlier revision, with a customer in it."""
    config = schema.alembic_config()
    with database.without_time_limit().write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        execute(connection, CUSTOMER, salt=b"0123456789abcdef", now=datetime.now(UTC))


def execute(connection: Connection, statement: str, **values: Any) -> None:
    """Execute SQL with the values that it names; datetimes as the models' columns store them."""
    named = {name: value for name, value in values.items() if f":{name}" in statement}
    times = [bindparam(name, type_=UtcDateTime()) for name, value in named.items() if isinstance(value, datetime)]
    connection.execute(text(statement).bindparams(*times), named)


def tables(database: Database) -> list[str]:
    with database.read() as connection:
        return inspect(connection).get_table_names()


def set_version(database: Database, version: str) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_alembic_sees_the_same_revisions_in_the_same_order() -> None:
    scripts = ScriptDirectory.from_config(schema.alembic_config())
    assert [script.revision for script in scripts.walk_revisions()][::-1] == schema.revisions()


@pytest.mark.full
def test_a_portal_on_sqlite_loads_no_library_that_it_does_not_use(tmp_path: Path) -> None:
    code = (
        "from portal.instance_dir import prepare_database\n"
        "from portal.settings import load_settings\n"
        "prepare_database(load_settings())\n"
        "print('made')\n"
    )
    check = (
        "import sys\n"
        "from portal import create_app\nfrom portal.storage import schema\n"
        "from portal.app import context_of\n"
        "problem = schema.current_problem(context_of(create_app()).database)\n"
        "rare = {'alembic', 'cryptography', 'psycopg', 'redis', 'webauthn', 'zxcvbn'}\n"
        "print(problem, sorted(rare & sys.modules.keys()))\n"
    )
    environ = {**os.environ, "PORTAL_INSTANCE_PATH": str(tmp_path)}
    for lines, said in ((code, "made"), (check, "None []")):
        done = subprocess.run([sys.executable, "-c", lines], env=environ, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == said


def test_the_migrations_make_the_tables_of_the_models(database: Database) -> None:
    schema.upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_every_constraint_has_the_name_that_the_models_give_it(database: Database, make: Make) -> None:
    schema.upgrade(database)
    other = make("of_models")
    with other.write() as connection:
        METADATA.create_all(connection)
    assert constraint_names(database) == constraint_names(other)


def constraint_names(database: Database) -> set[str | None]:
    with database.read() as connection:
        found = inspect(connection)
        return {
            constraint["name"]
            for table in METADATA.tables
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
    done: list[str] = []

    def fail_half_way(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        done.append(statement)
        if "CREATE TABLE outbox" in statement:
            raise KeyError("half way")

    event.listen(database.engine, "before_cursor_execute", fail_half_way)
    with pytest.raises(KeyError, match="half way"):
        schema.upgrade(database)
    event.remove(database.engine, "before_cursor_execute", fail_half_way)
    assert sum("CREATE TABLE" in statement for statement in done) > 5
    assert tables(database) == []
    schema.upgrade(database)
    assert schema.current_problem(database) is None


@pytest.mark.parametrize(
    "revision",
    [REVISIONS[0], *(pytest.param(revision, marks=pytest.mark.full) for revision in REVISIONS[1:-1]), REVISIONS[-1]],
)
def test_a_database_of_every_earlier_revision_keeps_its_customers(database: Database, revision: str) -> None:
    upgrade_to(database, revision)
    schema.upgrade(database)
    assert schema.current_problem(database) is None
    with database.read() as connection:
        [contact] = connection.execute(select(Contact)).all()
        assert (contact.email, contact.newsletter, contact.name) == ("ada@example.com", False, None)
        assert get_organisation(connection, "default").id == contact.organisation_id
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_what_the_first_version_stored_means_the_same_to_this_one(database: Database) -> None:
    upgrade_to(database, REVISIONS[0])
    now = datetime.now(UTC)
    with database.write() as connection:
        for statement in LIVES:
            execute(connection, statement, now=now, later=now + timedelta(hours=1), digest=b"d" * 32)
    schema.upgrade(database)
    with database.read() as connection:
        counts = {
            name: connection.execute(select(func.count()).select_from(METADATA.tables[name])).scalar_one()
            for name in ("account", "former_password", "identity", "registration", "link", "event", "outbox")
        }
        registration = connection.execute(select(Registration)).one()
        link = connection.execute(select(Link)).one()
        mails = dict(connection.execute(select(OutboxMail.c.notice, OutboxMail.c.is_urgent)).all())
    assert counts == {**dict.fromkeys(counts, 1), "outbox": 2}
    assert (registration.email, registration.groups, registration.return_url) == ("ada@example.com", [], None)
    assert (link.code_tries, link.registration_id) == (0, registration.id)
    assert mails == {"verify": True, "password_changed": False}
    with database.write() as connection:
        mail = claim_next(connection, SystemClock(), "a claim")
    assert mail is not None
    assert (mail.notice, mail.recipient, mail.obsolete) == ("verify", "ada@example.com", None)


def test_upgrades_at_the_same_time_wait_for_each_other(database: Database) -> None:
    assert not schema.has_schema(database)  # instance_dir.py sets up a new SQLite file
    url = database.engine.url.render_as_string(hide_password=False)
    others = [open_database(url) for _ in range(4)]
    outcomes = in_parallel([partial(schema.upgrade, other) for other in others])
    for other in others:
        other.engine.dispose()
    assert outcomes == [None] * 4
    assert schema.current_problem(database) is None
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(Organisation)).scalar_one() == 1
