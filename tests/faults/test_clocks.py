"""F16: clocks that are set back or forward, and machines whose clocks differ."""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from sqlalchemy import event

from portal.domain import clock_steps, delivery
from portal.domain.clock import SystemClock
from portal.domain.context import Context, Visitor
from portal.domain.delivery import DueMail
from portal.domain.outbox import Notice
from portal.mail import worker as worker_module
from tests.cli.process import environment, serving, wait_until
from tests.conftest import MovableClock
from tests.domain.test_delivery import Outbox
from tests.faults.faketime import WrongClock
from tests.mail.office import Office
from tests.mail.sink import Act, Sink, Stage
from tests.web import test_served
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.post import code_in, link_in

EMAIL = "ada@example.com"
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
LEASE = timedelta(seconds=60)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BACK = [-SECOND, -HOUR, -DAY]
steps_back = pytest.mark.parametrize("step", BACK, ids=str)


@pytest.fixture
def outbox(context: Context, visitor: Visitor) -> Outbox:
    return Outbox(context, visitor)


@pytest.fixture
def on_machine_time(context: Context, visitor: Visitor) -> Outbox:
    """The outbox as it is on a machine: by its own clock, or the database's."""
    return Outbox(replace(context, clock=SystemClock()), visitor)


# Mails, when the clock that all workers go by is set.


def find_after_step(outbox: Outbox) -> DueMail | None:
    """What a worker finds within 10 seconds of the step."""
    clock_steps.bring_forward(outbox.context.database, outbox.context.clock)
    return outbox.find()


@steps_back
def test_a_mail_that_was_never_tried_is_due_though_the_clock_was_set_back(
    outbox: Outbox, clock: MovableClock, step: timedelta
) -> None:
    outbox.queue()
    clock.advance(step)
    assert find_after_step(outbox) is not None


@pytest.mark.parametrize("step", [-HOUR, -DAY], ids=str)
def test_a_mail_that_was_put_off_is_due_when_the_clock_was_set_back_by_more_than_any_delay(
    outbox: Outbox, clock: MovableClock, step: timedelta
) -> None:
    outbox.queue()
    outbox.retry(outbox.claim())
    clock.advance(step)
    assert find_after_step(outbox) is not None


def test_a_step_back_brings_no_mail_on_that_was_put_off(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    for _ in range(8):
        outbox.retry(outbox.claim())
        due_at = outbox.row().due_at
        clock.advance(-SECOND)
        assert find_after_step(outbox) is None
        clock.now = due_at


def test_the_lease_of_a_worker_that_was_killed_before_the_step_holds_nobody_up(
    outbox: Outbox, clock: MovableClock
) -> None:
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


def test_a_worker_that_goes_on_after_the_step_keeps_its_mail(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    mail = outbox.claim()
    clock.advance(-HOUR)
    assert outbox.write(delivery.renew, mail, clock)
    assert find_after_step(outbox) is None


def test_only_what_lies_too_far_ahead_is_brought_forward_and_all_of_that(
    outbox: Outbox, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_steps, "BATCH", 2)
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


def test_a_worker_looks_for_them_when_it_starts_and_every_10_seconds(
    environ: Mapping[str, str], visitor: Visitor, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink() as sink:
        settings = {**environ, "PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
        office = Office(settings, visitor, clock)
        began = monotonic()
        for seconds, so_far in [(0, 1), (5, 1), (10, 2), (19, 2), (20, 3)]:
            monkeypatch.setattr(worker_module, "monotonic", lambda passed=seconds: began + passed)
            if seconds in (0, 5, 19):
                office.queue()
                clock.advance(-HOUR)
            office.work()
            assert len(sink.messages) == so_far
        office.close()


@pytest.mark.on_sqlite
def test_a_poll_walks_no_mail_that_is_not_due(outbox: Outbox, clock: MovableClock) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        asked.append((statement, parameters))

    with outbox.context.database.write() as connection:
        event.listen(connection, "before_cursor_execute", note)
        assert delivery.claim_next(connection, clock, "claim") is None
        event.remove(connection, "before_cursor_execute", note)
        assert len(asked) == 2
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert any("ix_outbox_due (state=? AND is_urgent=? AND due_at<?)" in step.detail for step in plan), plan


def test_after_a_leap_of_an_hour_what_was_put_off_is_tried_once_and_put_off_again(
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
def test_the_hourly_purge_goes_by_the_time_that_has_passed(
    environ: Mapping[str, str], visitor: Visitor, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    office = Office(environ, visitor, clock)
    purged: list[Context] = []

    def note(context: Context) -> dict[str, int]:
        purged.append(context)
        return {}

    monkeypatch.setattr(worker_module, "purge", note)
    began = monotonic()
    office.work()
    clock.advance(step)
    for seconds, so_far in [(0, 1), (3000, 1), (4000, 2), (4001, 2)]:
        monkeypatch.setattr(worker_module, "monotonic", lambda passed=seconds: began + passed)
        office.work()
        assert len(purged) == so_far
    office.close()


# Mails, when machines disagree.


@pytest.mark.on_postgresql
@pytest.mark.parametrize("ahead", [-DAY, -HOUR, HOUR, DAY], ids=str)
def test_a_machine_whose_clock_is_wrong_takes_no_mail_that_another_one_holds(
    on_machine_time: Outbox, ahead: timedelta
) -> None:
    outbox = on_machine_time
    outbox.queue()
    outbox.claim()
    with time_machine.travel(ahead):
        assert outbox.find() is None
        outbox.queue()
        held = outbox.claim()
        assert outbox.write(delivery.renew, held, outbox.context.clock)
    assert outbox.find() is None
    assert outbox.retry(held)
    with time_machine.travel(ahead):
        assert outbox.find() is None


@pytest.mark.on_postgresql
@pytest.mark.parametrize("ahead", [-DAY, DAY], ids=str)
def test_no_link_counts_as_expired_for_the_clock_of_a_worker_or_of_the_machine_that_was_asked(
    environ: Mapping[str, str], visitor: Visitor, ahead: timedelta
) -> None:
    with Sink() as sink:
        settings = {**environ, "PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
        office = Office(settings, visitor, SystemClock())
        office.queue(notice=Notice.RESET)
        with time_machine.travel(ahead):
            office.work()
            office.queue(notice=Notice.RESET)
        office.work()
        assert office.states() == ["sent", "sent"]
        office.close()


# Pages.


@steps_back
def test_a_clock_that_is_set_back_refuses_no_form_session_link_or_code(site: Site, step: timedelta) -> None:
    with time_machine.travel(NOW, tick=False) as machine:
        signed_in = site.customer(EMAIL)
        change = signed_in.open("/account/password").form()
        asking = site.browser()
        asking.fill("/login/link", {"email": EMAIL})
        code = code_in(site.mails(EMAIL)[-1])
        site.browser().ask_for_reset(EMAIL)
        reset = site.link(EMAIL)
        login = site.browser()
        form = login.open("/login").form()
        machine.shift(step)

        assert signed_in.is_signed_in
        assert login.post(form, {"email": EMAIL, "password": PASSWORD}).location == "/account"
        assert login.is_signed_in
        assert asking.fill("/login/code", {"code": code}, submit_to="/login/code").location == "/account"
        assert asking.is_signed_in
        typed = {"current_password": PASSWORD, "password": "nine grey otters swim"}
        assert signed_in.post(change, typed).location == "/account"
        site.browser().ask_for_reset(EMAIL)
        assert site.link(EMAIL) != reset, "a mail that was asked for after the step did not come"
        late = site.link(EMAIL)
        assert site.browser().fill(late, {"password": "four red foxes sleep"}).status == 302


@steps_back
def test_a_step_back_lengthens_no_life_by_more_than_itself(site: Site, step: timedelta) -> None:
    with time_machine.travel(NOW, tick=False) as machine:
        signed_in = site.customer(EMAIL)
        site.browser().ask_for_reset(EMAIL)
        link = site.link(EMAIL)
        machine.shift(step)
        machine.shift(timedelta(minutes=30) - step - SECOND)
        assert site.browser().open(link).status == 200
        machine.shift(SECOND)
        assert site.browser().open(link).status == 410
        machine.shift(timedelta(minutes=90) - SECOND)
        assert signed_in.is_signed_in
        machine.shift(timedelta(hours=2))
        assert not signed_in.is_signed_in


def test_ten_years_forward_end_what_was_open_and_neither_they_nor_the_way_back_end_anything_else(site: Site) -> None:
    with time_machine.travel(NOW, tick=False) as machine:
        before = site.customer(EMAIL)
        site.browser().ask_for_reset(EMAIL)
        link = site.link(EMAIL)
        for years in (10, -10):
            machine.shift(years * 365 * DAY)
            for browser in (before, Browser(site.app)):
                browser.send("/account")
                assert browser.sign_in(EMAIL, PASSWORD).location == "/account"
                assert browser.is_signed_in
            mails = len(site.mails())
            site.browser().ask_for_reset(EMAIL)
            assert len(site.mails()) == mails + 1
            if years > 0:
                assert site.browser().open(link).status in (404, 410)


# Real processes.


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


def test_a_portal_serves_through_an_hour_back_and_an_hour_forward(tmp_path: Path, sink: Sink) -> None:
    clock = WrongClock(tmp_path / "wrong")
    settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), **test_served.CHEAP}
    with serving(tmp_path / "private" / "instance", program=clock.program, **settings) as served:
        customer = test_served.Visitor(served)
        sink.script[Stage.RCPT] = "450 later"
        typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
        assert customer.fill("/register", **typed)[:2] == (302, "/register/code")
        wait_until(lambda: "put off" in served.log.read_text())
        sink.script.clear()

        clock.set(-HOUR)
        link = urlsplit(link_in(sink.wait_for(1)[0])).path
        assert customer.fill(link)[:2] == (302, "/account")
        assert EMAIL in customer.ask("GET", "/account")[2]
        assert customer.fill("/password/reset", email=EMAIL)[0] == 302
        sink.wait_for(2)

        clock.set(timedelta(0))
        assert EMAIL in customer.ask("GET", "/account")[2]
        clock.set(HOUR)
        assert test_served.Visitor(served).fill("/login", email=EMAIL, password=PASSWORD)[:2] == (302, "/account")
        assert customer.fill("/password/reset", email=EMAIL)[0] == 302
        sink.wait_for(3)
        assert served.complaints() == []
        served.process.send_signal(signal.SIGTERM)
        assert served.end() == 0
    assert len(sink.messages) == 3


@contextmanager
def worker_of(clock: WrongClock, folder: Path, environ: Mapping[str, str], sink: Sink) -> Iterator[None]:
    """`portal worker` by a clock of its own; at the end it has stopped as it was asked to."""
    server = {"PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*clock.program, "worker"], env={**environment(folder), **environ, **server}, stdout=log, stderr=log
        ) as worker,
    ):
        try:
            yield
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        finally:
            worker.kill()


@pytest.mark.on_postgresql
def test_of_two_workers_whose_clocks_are_an_hour_apart_none_takes_what_the_other_sends(
    tmp_path: Path, environ: Mapping[str, str], visitor: Visitor, sink: Sink
) -> None:
    slow, fast = (WrongClock(tmp_path / name, ahead) for name, ahead in [("slow", -HOUR / 2), ("fast", HOUR / 2)])
    office = Office(environ, visitor, SystemClock())
    with closing(office), Sink() as silent, ExitStack() as workers:
        silent.script[Stage.DOT] = Act.SILENT
        workers.enter_context(worker_of(slow, tmp_path / "slow", environ, silent))
        held = office.queue(notice=Notice.RESET)
        silent.wait_for_command(".")
        workers.enter_context(worker_of(fast, tmp_path / "fast", environ, sink))
        office.queue("grace@example.com", Notice.RESET)
        sink.wait_for(1)
        assert [mail["To"] for mail in sink.messages] == ["grace@example.com"]
        assert office.row(held).state == "queued"
        silent.release()
        silent.wait_for(1)
        workers.close()
        assert office.states() == ["sent", "sent"]
        assert (len(silent.messages), len(sink.messages)) == (1, 1)
