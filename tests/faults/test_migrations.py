"""A migration killed at each of its statements, two at once as processes, two versions during a rollout."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from portal.instance_dir import prepare_database
from portal.storage import schema
from portal.storage.database import Database, open_database
from portal.storage.schema import DatabaseProblem
from tests.cli.process import PATIENCE_SECONDS, PORTAL, environment, serving
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_until
from tests.storage.test_migrations import REVISIONS, Make, upgrade_to
from tests.web.conftest import PASSWORD, Site, Start

pytestmark = pytest.mark.full

BEGINNINGS = [None, *REVISIONS[:-1]]
"""An empty database, and one of every version but the newest."""
KEY = "p0Wq-7rLz2NvXk9sTe4JbUy8"
EMAIL = "ada@example.com"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
EXPANSION = (
    "ALTER TABLE contact ADD COLUMN nickname VARCHAR(255)",
    "ALTER TABLE registration ADD COLUMN visits INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE gift_card (id INTEGER PRIMARY KEY, contact_id INTEGER REFERENCES contact (id) ON DELETE CASCADE)",
    "CREATE INDEX ix_gift_card_contact_id ON gift_card (contact_id)",
    "UPDATE alembic_version SET version_num = '9999'",
)
"""A migration that the next version may contain (tests/storage/test_expansion.py)."""


@pytest.fixture
def site(start: Start, database_url: str, request: pytest.FixtureRequest) -> Site:
    """A portal on a database whose schema may be changed; the shared one on PostgreSQL must not be."""
    if not database_url.startswith("postgresql"):
        return start()
    postgres: Postgres = request.getfixturevalue("postgres")
    database = open_database(postgres.new_database("rolled_out"))
    schema.upgrade(database)
    database.engine.dispose()
    return start(DATABASE_URL=url_of(database))


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


@pytest.mark.timeout(600)  # upgrades by the hundred
def test_an_upgrade_killed_at_any_statement_leaves_the_database_unchanged(make: Make) -> None:
    urls = []
    for revision in BEGINNINGS:
        database = make(f"from_{revision or 'nothing'}")
        if revision:
            upgrade_to(database, revision)
        database.engine.dispose()
        urls.append(url_of(database))
    answer = subprocess.run(
        [sys.executable, "-m", "tests.faults.next_migration", *urls],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 3,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    kills = [int(line) for line in answer.stdout.splitlines()]
    assert len(kills) == len(BEGINNINGS)
    assert min(kills) > 3, "a migration has a statement or more, the lock, the version, and COMMIT"


def test_two_processes_that_upgrade_at_once_wait_for_each_other(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database("upgraded_twice")
    command = partial(
        subprocess.Popen,
        [PORTAL, "db", "upgrade"],
        env=environment(tmp_path, DATABASE_URL=url, SECRET_KEY=KEY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with postgres.connect("upgraded_twice") as ours, command() as one, command() as other:
        ours.execute("SELECT pg_advisory_lock(%s)", [schema._MIGRATION_LOCK])  # as a third upgrade would
        try:
            wait_until(lambda: ours.execute(WAITING).fetchone() == (2,), "both wait for the third")
        finally:
            ours.execute("SELECT pg_advisory_unlock_all()")
        answers = [process.communicate(timeout=PATIENCE_SECONDS) for process in (one, other)]
    assert answers == [(f"The database has this version's schema, {schema.head()}.\n", "")] * 2
    database = open_database(url)
    assert schema.current_problem(database) is None
    database.engine.dispose()


@pytest.mark.on_sqlite
def test_two_portals_that_start_at_once_on_a_new_instance_both_serve(tmp_path: Path) -> None:
    instance = tmp_path / "private" / "instance"
    with ThreadPoolExecutor(2) as starters, ExitStack() as stack:
        portals = [serving(instance), serving(instance)]
        served = list(starters.map(stack.enter_context, portals))
        for portal in served:
            portal.process.terminate()
        assert [portal.end() for portal in served] == [0, 0]
        # The second portal warns that they count limits separately; there is no other warning.
        (warning,) = [line for portal in served for line in portal.complaints()]
        assert "RATELIMIT_STORAGE_URI" in warning


def expand(database: Database) -> None:
    """Bring a database to the schema of the next version."""
    with database.write() as connection:
        for statement in EXPANSION:
            connection.execute(text(statement))


def test_a_running_portal_keeps_working_after_the_next_version_migrated(site: Site) -> None:
    """Pages keep working; /readyz reports that this portal must be restarted."""
    signed_in, browser = site.customer(EMAIL), site.browser()
    expand(site.context.database)
    assert signed_in.is_signed_in
    assert browser.sign_in(EMAIL, PASSWORD).status == 302
    assert site.customer("bob@example.com").is_signed_in
    browser.ask_for_reset(EMAIL)
    assert browser.fill(site.link(EMAIL), {"password": "eleven grey otters dive"}).status == 302
    assert browser.send("/readyz").status == 503


def test_a_portal_of_the_version_before_does_not_start_on_the_next_schema(site: Site) -> None:
    expand(site.context.database)
    with pytest.raises(DatabaseProblem, match="9999"):
        prepare_database(site.settings)


@pytest.mark.on_postgresql
def test_a_new_portal_does_not_start_before_its_migration(site: Site) -> None:
    with site.context.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :before"), {"before": REVISIONS[-2]})
    with pytest.raises(DatabaseProblem, match="portal db upgrade"):
        prepare_database(site.settings)
