"""A deadlock or a serialization failure at each statement that writes, and at COMMIT, of every use case."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, update

from portal.storage.models import Organisation
from tests.api.shop import new_shop
from tests.domain.instrumentation import lines_of
from tests.faults.single_requests import SINGLE_REQUESTS
from tests.faults.single_requests.world import ADA, RETURN, Act, World
from tests.web.conftest import PASSWORD, Site, Start

pytestmark = [pytest.mark.on_postgresql, pytest.mark.full]

WRITES = ("INSERT", "UPDATE", "DELETE")
DEADLOCK = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"
LIMITS = (
    *("LOGIN_LIMIT_ACCOUNT", "LOGIN_LIMIT_NETWORK", "REGISTER_LIMIT_NETWORK", "MAIL_LIMIT_ADDRESS"),
    "MAIL_LIMIT_NETWORK",
)


@pytest.fixture
def world(start: Start) -> World:
    site = start(
        **dict.fromkeys(LIMITS, "100000 per hour"),
        BASE_URL="http://localhost:5000",  # passkeys need a host name
        MAIL_DEFAULT_SENDER="portal@example.com",
    )
    with site.context.database.write() as connection:
        lists = {"return_origins": ["https://shop.example.com"], "handover_urls": [RETURN]}
        connection.execute(update(Organisation).values(lists))
    site.customer(ADA)
    for _ in range(2):  # the notice of each later sign-in is part of the second email, which is due in an hour
        site.browser().sign_in(ADA, PASSWORD)
        site.deliver()
    world = World(site, new_shop(site))
    world.shop.account("A" * 32)  # the use of a key is stored once a minute
    return world


@contextmanager
def outrun(engine: Engine, monkeypatch: pytest.MonkeyPatch, fails: Callable[[int], bool]) -> Iterator[list[str]]:
    """Count the writing statements of a block from 1, and let those in `fails` raise a conflict."""
    written: list[str] = []
    commit = engine.dialect.do_commit

    def is_next(what: str) -> bool:
        written.append(what)
        return fails(len(written))

    def at_statement(_connection: object, cursor: Any, statement: str, *_rest: object) -> None:
        if statement.startswith(WRITES) and is_next(statement):
            cursor.execute(DEADLOCK)

    def at_commit(connection: Any) -> None:
        if is_next("COMMIT"):
            connection.rollback()
            raise psycopg.errors.SerializationFailure("could not serialize access")
        commit(connection)

    with monkeypatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", at_commit)
        event.listen(engine, "before_cursor_execute", at_statement)
        try:
            yield written
        finally:
            event.remove(engine, "before_cursor_execute", at_statement)


def sizes(site: Site) -> dict[str, int]:
    return {name: len(rows) for name, rows in site.rows().items()}


def grown(site: Site, before: dict[str, int]) -> dict[str, int]:
    """Return the number of rows of each table, and of emails."""
    site.deliver()
    return {name: size - before[name] for name, size in sizes(site).items() if size != before[name]}


def happened(lines: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """Return the events in the log."""
    return [(line["kind"], line["refusal"]) for line in lines]


@pytest.mark.parametrize("deed", SINGLE_REQUESTS)
def test_a_transaction_conflict_is_retried_and_nothing_happens_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, deed: Callable[[World], Act]
) -> None:
    site, engine = world.site, world.site.context.database.engine
    act = deed(world)
    before = sizes(site)
    with lines_of("portal.events") as lines, outrun(engine, monkeypatch, lambda _: False) as written:
        usual = act()
    came, told = grown(site, before), happened(lines)
    assert written
    assert usual[0] != 503

    for failing in range(1, len(written) + 1):
        act = deed(world)
        before = sizes(site)
        with lines_of("portal.events") as lines, outrun(engine, monkeypatch, failing.__eq__) as tried:
            assert act() == usual, written[failing - 1]
        assert len(tried) > len(written), "nothing was tried again"
        assert grown(site, before) == came, written[failing - 1]
        assert happened(lines) == told, written[failing - 1]

    act = deed(world)
    stored = site.rows()
    with lines_of("portal.events") as lines, outrun(engine, monkeypatch, lambda _: True) as tried:
        assert act()[0] == 503
    assert len(tried) == 3
    assert lines == []
    assert site.rows() == stored
    assert act() == usual
