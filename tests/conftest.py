"""Fixtures for all tests: settings, a clock that can be moved, and the domain on a migrated database of its own."""

import gc
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest
from sqlalchemy import ColumnElement, Connection, Engine, event, literal
from werkzeug.routing import Rule

from portal.app import build_context
from portal.domain.context import Context, Visitor
from portal.domain.organisations import get_organisation
from portal.settings import DATABASE_FILE, Settings, load_settings
from portal.storage import schema
from portal.storage.database import open_database
from portal.storage.models.base import UtcDateTime
from tests.servers.postgres import Postgres
from tests.servers.processes import give_children_default_signals
from tests.servers.redis import Redis
from tests.servers.reusable_database import ReusableDatabase

# These two checks depend on how busy the machine is, not on the code.
hypothesis.settings.register_profile("portal", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("portal")

give_children_default_signals()

WAITING = ("faults", "deploy", "mail")
"""The folders of tests that wait for servers or leases."""
MOST_CASES = 4
"""Of a test with a database, `make test` runs this many cases; the others run in `make test-all` (`--most-cases`)."""
DATABASES = frozenset({"database_url", "instance", "migrated_file"})
"""The fixtures of tests with a database."""
SECRET_KEY = "Xq3vN8rT1yLw6ZkP0sHd5JbG9cFm2AeU-for-tests"


def _refuse_to_adapt(value: date) -> NoReturn:
    raise AssertionError(f"{value!r} reached sqlite3 itself: give its parameter the type of the column")


# sqlite3's own adapters for these are deprecated from Python 3.12 on. Refused on every version, so that tests on an
# older one find what would fail on a later one.
for _kind in (date, datetime):
    sqlite3.register_adapter(_kind, _refuse_to_adapt)


class Compiled(dict[Any, Any]):
    """A cache of compiled statements that all engines of a run share: a new engine's own cache is empty.

    A key begins with the engine's dialect. Its name takes its place: dialects of one name compile alike.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__((key[0].name, *key[1:]), compiled)


_compiled = Compiled()


@event.listens_for(Engine, "engine_connect")
def _share_compiled(connection: Connection) -> None:
    connection.engine._compiled_cache = _compiled


_compile_builder = Rule._compile_builder
_builders: dict[tuple[str, str, bool], Any] = {}


def _share_builder(rule: Rule, append_unknown: bool = True) -> Any:
    """Compile the function that builds a rule's URLs once a run: three quarters of the time of `create_app`.

    It takes the rule as an argument and depends on nothing but its text and the defaults of its arguments.
    """
    key = (rule.rule, repr(rule.defaults), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


setattr(Rule, "_compile_builder", _share_builder)  # noqa: B010 - mypy lets no method be replaced


def pytest_collection_finish() -> None:
    """Exclude what lasts for the whole run from garbage collection."""
    gc.collect()
    gc.freeze()


class MovableClock:
    """The domain's clock; it stands still until a test advances it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def shared(self, _connection: Connection, ahead: timedelta = timedelta(0)) -> ColumnElement[datetime]:
        return literal(self.now + ahead, UtcDateTime())

    def advance(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the code's schema, made once by the real migrations; to be copied, never opened."""
    path = tmp_path_factory.mktemp("migrated") / DATABASE_FILE
    path.touch()
    database = open_database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of the whole run; a test that breaks servers brings its own."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """The Redis server of the whole run; a test that breaks servers brings its own."""
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def reusable_database(postgres: Postgres) -> Iterator[ReusableDatabase]:
    with closing(ReusableDatabase(postgres)) as reusable_database:
        yield reusable_database


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: at any time some tests wait for a server, a browser or a lease."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-postgresql", action="store_true", help="leave out tests that need a PostgreSQL server")
    parser.addoption(
        "--most-cases",
        type=int,
        default=MOST_CASES,
        help="of a test with a database, mark the cases after these `full`",
    )


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run tests that wait for servers first, so that others run while they wait, and none is left at the end."""
    cases: Counter[str] = Counter()
    for item in items:
        if DATABASES.intersection(getattr(item, "fixturenames", ())) and not item.get_closest_marker("full"):
            cases[name := item.nodeid.partition("[")[0]] += 1
            if cases[name] > config.getoption("--most-cases"):
                item.add_marker(pytest.mark.full)
    items.sort(key=lambda item: item.path.parent.name not in WAITING)
    if config.getoption("--without-postgresql"):
        config.hook.pytest_deselected(items=[item for item in items if needs_postgresql(item)])
        items[:] = [item for item in items if not needs_postgresql(item)]


def needs_postgresql(item: pytest.Item) -> bool:
    """Return whether a test needs PostgreSQL: by a fixture, by its parameter or by its marker."""
    assert isinstance(item, pytest.Function)
    kind = item.callspec.params.get("database_url") if hasattr(item, "callspec") else None
    about = item.get_closest_marker("on_postgresql") and not item.get_closest_marker("on_sqlite")
    return kind == "postgresql" or "postgres" in item.fixturenames or bool(about)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test of a database on both kinds, on PostgreSQL with the mark `full`, unless its markers say otherwise."""
    if "database_url" not in metafunc.fixturenames:
        return
    has = metafunc.definition.get_closest_marker
    kinds: list[Any] = [kind for kind in ("sqlite", "postgresql") if has(f"on_{kind}")]
    if not kinds:
        marks = () if has("differs_on_postgresql") else (pytest.mark.full,)
        kinds = ["sqlite", pytest.param("postgresql", marks=marks)]
    metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a migrated database for one test; the only place that knows the kinds of databases."""
    if request.param == "postgresql":
        reusable_database: ReusableDatabase = request.getfixturevalue("reusable_database")
        return reusable_database.wipe().url
    migrated: Path = request.getfixturevalue("migrated_file")
    return f"sqlite:///{shutil.copy(migrated, tmp_path / DATABASE_FILE)}"


@pytest.fixture
def environ(tmp_path: Path, database_url: str) -> Mapping[str, str]:
    """Return the environment for the settings: none of the machine's variables, and the cheapest Argon2."""
    return {
        "PORTAL_INSTANCE_PATH": str(tmp_path),
        "PORTAL_DATABASE_URL": database_url,
        "PORTAL_SECRET_KEY": SECRET_KEY,
        "PORTAL_ARGON2_TIME_COST": "1",
        "PORTAL_ARGON2_MEMORY_KIB": "8",
        "PORTAL_ARGON2_PARALLELISM": "1",
    }


@pytest.fixture
def settings(environ: Mapping[str, str]) -> Settings:
    return load_settings(environ)


@pytest.fixture
def context(settings: Settings, clock: MovableClock) -> Iterator[Context]:
    context = build_context(settings, SECRET_KEY, clock)
    yield context
    context.hasher._pool.shutdown()
    context.database.engine.dispose()


@pytest.fixture
def visitor(context: Context) -> Visitor:
    """A customer's browser, at the default organisation."""
    with context.database.read() as connection:
        organisation = get_organisation(connection, "default")
    return Visitor(
        organisation_id=organisation.id,
        ip="192.0.2.10",
        organisation_name=organisation.name,
        user_agent="Browser/1.0",
        request_id="f" * 32,
        locale="en",
    )
