"""Clocks that are set back or forward, and machines whose clocks differ."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
import time_machine
from sqlalchemy import event

from portal.domain.context import Context, Visitor
from portal.domain.operations import clock_steps, mail_delivery
from portal.domain.operations.mail_delivery import DueMail
from portal.domain.operations.retention import purge
from portal.domain.outbox import Notice
from portal.mail import worker as worker_module
from portal.storage.clock import SystemClock
from tests.conftest import MovableClock
from tests.domain.operations.conftest import Outbox
from tests.mail.mail_portal import MailPortal
from tests.mail.sink import Sink
from tests.web.conftest import Site

pytestmark = pytest.mark.full

EMAIL = "ada@example.com"
SECOND, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "hours", "days"))
LEASE = timedelta(seconds=60)
BACK = [-SECOND, -HOUR, -DAY]
steps_back = pytest.mark.parametrize("step", BACK, ids=str)


@pytest.fixture
def outbox(context: Context, visitor: Visitor) -> Outbox:
    return Outbox(context, visitor)


@pytest.fixture
def on_machine_time(context: Context, visitor: Visitor) -> Outbox:
    """The outbox by the machine's clock, or by the database's."""
    return Outbox(replace(context, clock=SystemClock()), visitor)


# Emails, when the clock that all workers use is set.


def find_after_step(outbox: Outbox) -> DueMail | None:
    """Return what a worker finds within 10 seconds after the clock was set."""
    clock_steps.bring_forward(outbox.context.database, outbox.context.clock)
    return outbox.find()


@steps_back
def test_a_mail_that_was_never_attempted_is_due_though_the_clock_was_set_back(
    outbox: Outbox, clock: MovableClock, step: timedelta
) -> None:
    outbox.queue()
    clock.advance(step)
    assert find_after_step(outbox) is not None


@pytest.mark.parametrize("step", [-HOUR, -DAY], ids=str)
def test_a_deferred_mail_is_due_when_the_clock_was_set_back_by_more_than_any_delay(
    outbox: Outbox, clock: MovableClock, step: timedelta
) -> None:
    outbox.queue()
    outbox.retry(outbox.claim())
    clock.advance(step)
    assert find_after_step(outbox) is not None


def test_a_small_step_back_makes_no_deferred_mail_due(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    for _ in range(8):
        outbox.retry(outbox.claim())
        due_at = outbox.row().due_at
        clock.advance(-SECOND)
        assert find_after_step(outbox) is None
        clock.now = due_at


def test_the_lease_of_a_worker_killed_before_the_clock_step_delays_no_mail(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    killed = outbox.claim()
    clock.advance(-HOUR)
    found = find_after_step(outbox)
    assert found is not None
    assert found.id == killed.id
    assert not outbox.sent(killed), "a result under a claim that was lost"


@pytest.mark.parametrize("step", [-SECOND, -LEASE], ids=str)
def test_a_small_step_back_takes_no_mail_from_the_worker_that_sends_it(
    outbox: Outbox, clock: MovableClock, step: timedelta
) -> None:
    outbox.queue()
    outbox.claim()
    clock.advance(step)
    assert find_after_step(outbox) is None


def test_a_worker_that_continues_after_the_clock_step_keeps_its_mail(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    mail = outbox.claim()
    clock.advance(-HOUR)
    assert outbox.write(mail_delivery.renew, mail, clock)
    assert find_after_step(outbox) is None


def test_all_mails_due_too_far_ahead_and_only_those_are_brought_forward(
    outbox: Outbox, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_steps, "_BATCH", 2)
    for _ in range(5):
        outbox.queue()
    clock.advance(-HOUR)
    outbox.queue()
    outbox.retry(outbox.claim())
    due_at = outbox.row(6).due_at
    outbox.queue()
    held = outbox.claim()
    assert clock_steps.bring_forward(outbox.context.database, clock) == 5
    assert clock_steps.bring_forward(outbox.context.database, clock) == 0
    assert {outbox.row(mail_id).due_at for mail_id in range(1, 6)} == {clock()}
    assert outbox.row(6).due_at == due_at
    assert outbox.sent(held)


def test_a_worker_looks_for_mails_due_too_far_ahead_at_start_and_every_10_seconds(
    environ: Mapping[str, str], visitor: Visitor, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink() as sink:
        settings = {**environ, "PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
        mail_portal = MailPortal(settings, visitor, clock)
        began = monotonic()
        for seconds, so_far in [(0, 1), (5, 1), (10, 2), (19, 2), (20, 3)]:
            monkeypatch.setattr(worker_module, "monotonic", lambda passed=seconds: began + passed)
            if seconds in (0, 5, 19):
                mail_portal.queue()
                clock.advance(-HOUR)
            mail_portal.work()
            assert len(sink.messages) == so_far
        mail_portal.close()


@pytest.mark.on_sqlite
def test_a_poll_reads_no_mail_that_is_not_due(outbox: Outbox, clock: MovableClock) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        asked.append((statement, parameters))

    with outbox.context.database.write() as connection:
        event.listen(connection, "before_cursor_execute", note)
        assert mail_delivery.claim_next(connection, clock, "claim") is None
        event.remove(connection, "before_cursor_execute", note)
        assert len(asked) == 2
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert any("ix_outbox_due (state=? AND is_urgent=? AND due_at<?)" in step.detail for step in plan), plan


def test_after_a_jump_of_an_hour_deferred_mails_are_attempted_once_and_deferred_again(
    outbox: Outbox, clock: MovableClock
) -> None:
    for _ in range(20):
        outbox.queue()
    for _ in range(20):
        outbox.retry(outbox.claim())
    clock.advance(HOUR)
    tried = [outbox.claim() for _ in range(20)]
    assert len({mail.id for mail in tried}) == 20
    for mail in tried:
        outbox.retry(mail)
    assert outbox.find() is None


@pytest.mark.parametrize("step", [-DAY, 3650 * DAY], ids=str)
def test_the_hourly_retention_run_uses_monotonic_time(
    environ: Mapping[str, str], visitor: Visitor, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    mail_portal = MailPortal(environ, visitor, clock)
    purged: list[Context] = []

    def note(context: Context) -> dict[str, int]:
        purged.append(context)
        return {}

    monkeypatch.setattr(worker_module, "purge", note)
    began = monotonic()
    mail_portal.work()
    clock.advance(step)
    for seconds, so_far in [(0, 1), (3000, 1), (4000, 2), (4001, 2)]:
        monkeypatch.setattr(worker_module, "monotonic", lambda passed=seconds: began + passed)
        mail_portal.work()
        assert len(purged) == so_far
    mail_portal.close()


# Machines whose clocks differ.


@pytest.mark.on_postgresql
@pytest.mark.parametrize("ahead", [-DAY, -HOUR, HOUR, DAY], ids=str)
def test_a_machine_with_a_wrong_clock_claims_no_mail_that_another_holds(
    on_machine_time: Outbox, ahead: timedelta
) -> None:
    outbox = on_machine_time
    outbox.queue()
    outbox.claim()
    with time_machine.travel(ahead):
        assert outbox.find() is None
        outbox.queue()
        held = outbox.claim()
        assert outbox.write(mail_delivery.renew, held, outbox.context.clock)
    assert outbox.find() is None
    assert outbox.retry(held)
    with time_machine.travel(ahead):
        assert outbox.find() is None


@pytest.mark.on_postgresql
@pytest.mark.parametrize("ahead", [-DAY, DAY], ids=str)
def test_a_wrong_clock_of_a_machine_expires_no_link(
    environ: Mapping[str, str], visitor: Visitor, ahead: timedelta
) -> None:
    with Sink() as sink:
        settings = {**environ, "PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
        mail_portal = MailPortal(settings, visitor, SystemClock())
        mail_portal.queue(notice=Notice.RESET)
        with time_machine.travel(ahead):
            mail_portal.work()
            mail_portal.queue(notice=Notice.RESET)
        mail_portal.work()
        assert mail_portal.states() == ["sent", "sent"]
        mail_portal.close()


@pytest.mark.on_postgresql
def test_a_worker_whose_clock_is_a_year_ahead_deletes_nothing(site: Site) -> None:
    customer = site.customer(EMAIL)
    site.browser().ask_for_reset(EMAIL)
    site.deliver()
    with time_machine.travel(400 * DAY):
        assert set(purge(site.context).values()) == {0}
    assert customer.is_signed_in
