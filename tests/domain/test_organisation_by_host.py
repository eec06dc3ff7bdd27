"""The organisation of a host, from a cache that is renewed every few seconds."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from portal.domain.context import Context
from portal.domain.operations.organisation_settings import Portal, add_organisation, change_organisation
from portal.domain.organisation_by_host import CACHE_LIFETIME, OrganisationsByHost
from portal.storage.backends import DatabaseUnavailable
from tests.conftest import MovableClock

HOST = "portal.example.com"
PORTAL = Portal(languages=("en",), hostname=HOST)


@dataclass
class Queries:
    """Record the queries, and answer them or fail."""

    asked: list[str] = field(default_factory=list)
    away: bool = False


@pytest.fixture
def queries(context: Context) -> Iterator[Queries]:
    queries = Queries()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM organisation" in statement:
            queries.asked.append(statement)
            if queries.away:
                raise OperationalError("", {}, Exception())

    event.listen(context.database.engine, "before_cursor_execute", note)
    yield queries
    event.remove(context.database.engine, "before_cursor_execute", note)


@pytest.fixture
def directory(context: Context, clock: MovableClock) -> OrganisationsByHost:
    for slug in ("kamen", "sklo"):
        add_organisation(context, slug, {"name": slug, "hostname": f"login.{slug}.example"}, PORTAL)
    add_organisation(context, "hidden", {"name": "hidden"}, PORTAL)
    return OrganisationsByHost(context.database, clock, HOST)


@pytest.mark.parametrize(
    ("hostname", "slug"),
    [
        ("login.kamen.example", "kamen"),
        ("login.sklo.example", "sklo"),
        (HOST, "default"),
        ("127.0.0.1", "default"),
        ("kamen.example", "default"),
        ("login.kamen.example.", "default"),
        ("evil.login.kamen.example", "default"),
        ("hidden", "default"),
        ("", "default"),
        ("None", "default"),
    ],
)
def test_an_organisation_is_found_by_its_host_and_the_default_by_every_other(
    directory: OrganisationsByHost, hostname: str, slug: str
) -> None:
    assert directory.serving(hostname).slug == slug


def test_the_host_of_base_url_always_belongs_to_the_default_organisation(context: Context, clock: MovableClock) -> None:
    add_organisation(context, "kamen", {"name": "kamen", "hostname": "new.example.com"}, PORTAL)
    assert OrganisationsByHost(context.database, clock, "new.example.com").serving("new.example.com").slug == "default"


def test_finding_the_organisation_costs_no_query_for_any_host(directory: OrganisationsByHost, queries: Queries) -> None:
    for number in range(100):
        directory.serving(f"host{number}.example")
    assert len(queries.asked) == 1


def test_a_changed_organisation_is_reloaded_within_seconds(
    directory: OrganisationsByHost, context: Context, clock: MovableClock
) -> None:
    assert directory.serving("login.kamen.example").name == "kamen"
    change_organisation(context, "kamen", {"name": "Kámen", "hostname": "kamen.example"}, PORTAL)
    clock.advance(CACHE_LIFETIME)
    assert timedelta(seconds=5) > CACHE_LIFETIME
    assert directory.serving("kamen.example").name == "Kámen"
    assert directory.serving("login.kamen.example").slug == "default"


def test_a_clock_set_back_does_not_keep_stale_organisations(
    directory: OrganisationsByHost, context: Context, clock: MovableClock
) -> None:
    directory.serving(HOST)
    change_organisation(context, "default", {"name": "New"}, PORTAL)
    clock.advance(timedelta(days=-1))
    assert directory.serving(HOST).name == "New"


def test_loaded_organisations_are_used_while_the_database_is_unavailable(
    directory: OrganisationsByHost, queries: Queries, clock: MovableClock
) -> None:
    queries.away = True
    with pytest.raises(DatabaseUnavailable):
        directory.serving(HOST)
    queries.away = False
    directory.serving(HOST)
    queries.away = True
    clock.advance(CACHE_LIFETIME)
    queries.asked.clear()
    for _ in range(100):
        assert directory.serving("login.kamen.example").slug == "kamen"
    assert len(queries.asked) == 1, "each request waits for a database that is away"


def test_parallel_requests_load_organisations_once(directory: OrganisationsByHost, queries: Queries) -> None:
    barrier = Barrier(8)
    found: list[str] = []

    def ask() -> None:
        barrier.wait()
        found.append(directory.serving("login.sklo.example").slug)

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["sklo"] * 8
    assert len(queries.asked) == 1
