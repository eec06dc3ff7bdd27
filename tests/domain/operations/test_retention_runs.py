"""How a run deletes: in batches, and beside other transactions."""

from typing import Any

import pytest
from sqlalchemy import event, insert, select

from portal.domain.context import Context
from portal.domain.operations import retention as purging
from portal.domain.operations.retention import purge
from portal.storage.models import (
    Event,
)
from tests.conftest import MovableClock
from tests.domain.scene import Scene


def test_rows_are_deleted_in_batches(
    scene: Scene, context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH", 10)
    common: dict[str, Any] = {"organisation_id": scene.visitor.organisation_id, "kind": "login", "occurred_at": clock()}
    with context.database.write() as connection:
        connection.execute(insert(Event), [common] * 95)
    clock.advance(context.rules.event_retention)
    assert purge(context)["event"] == 95


def test_a_large_first_run_never_locks_all_rows_at_once(
    scene: Scene, context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "SEARCH_LIMIT", 30)
    fetched: list[int] = []
    delete_batch = purging._delete

    def noted(database: Any, key: Any, condition: Any, found: list[int]) -> int:
        fetched.append(len(found))
        return delete_batch(database, key, condition, found)

    monkeypatch.setattr(purging, "_delete", noted)
    common: dict[str, Any] = {"organisation_id": scene.visitor.organisation_id, "kind": "login", "occurred_at": clock()}
    with context.database.write() as connection:
        connection.execute(insert(Event), [common] * 95)
    clock.advance(context.rules.event_retention)
    assert purge(context)["event"] == 95
    assert fetched == [30, 30, 30, 5]


@pytest.mark.on_postgresql
def test_a_run_ends_when_every_row_is_locked(
    scene: Scene, context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "SEARCH_LIMIT", 1)
    scene.join()
    clock.advance(context.rules.event_retention)
    with context.database.write() as connection:
        connection.execute(select(Event.c.id).with_for_update())
        assert purge(context)["event"] == 0
    assert purge(context)["event"] == 3


@pytest.mark.on_postgresql
def test_a_run_continues_after_a_transaction_conflict(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    clock.advance(scene.context.rules.event_retention)
    outrun: list[str] = []

    def be_outrun(_connection: object, cursor: Any, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE FROM event") and not outrun:
            outrun.append(statement)
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")

    engine = scene.context.database.engine
    event.listen(engine, "before_cursor_execute", be_outrun)
    gone = purge(scene.context)["event"]
    event.remove(engine, "before_cursor_execute", be_outrun)
    assert outrun
    assert gone == 3
