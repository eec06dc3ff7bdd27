"""Several workers on one outbox, some of them killed or frozen."""

import logging
from datetime import timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import select

from portal.mail import worker as worker_module
from portal.storage.models import OutboxMail
from tests.conftest import MovableClock
from tests.mail.conftest import OpenOffice
from tests.mail.mail_portal import MailPortal
from tests.mail.sink import Act, Sink, Stage
from tests.servers.processes import end_of, fork

pytestmark = pytest.mark.differs_on_postgresql

LEASE = timedelta(seconds=60)


def test_the_mail_of_a_killed_worker_is_claimed_again_when_its_lease_expires(
    open_office: OpenOffice, sink: Sink, clock: MovableClock
) -> None:
    killed, alive = open_office(sink), open_office(sink)
    killed.queue()
    sink.script[Stage.DOT] = Act.SILENT
    dying = Thread(target=killed.work)
    dying.start()
    sink.wait_for_command(".")
    clock.advance(LEASE - timedelta(seconds=1))
    alive.work()
    assert len(sink.messages) == 1
    clock.advance(timedelta(seconds=1))
    sink.script.clear()
    alive.work()
    assert len(sink.messages) == 2, "the mail of the silent worker was not taken up"
    assert len({received["Message-ID"] for received in sink.messages}) == 1
    sink.release()
    dying.join()


def test_the_late_result_of_a_worker_that_lost_its_lease_is_ignored(
    open_office: OpenOffice, sink: Sink, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "portal.mail")
    frozen, alive = open_office(sink), open_office(sink)
    mail = frozen.queue()
    sink.script[Stage.RCPT] = Act.SILENT
    freezing = Thread(target=frozen.work)
    freezing.start()
    sink.wait_for_command("RCPT")
    clock.advance(LEASE)
    sink.script = {Stage.RCPT: "450 later"}
    alive.work()
    sink.script = {Stage.DATA: "550 never"}
    sink.release()
    freezing.join()
    row = alive.row(mail)
    assert (row.state, row.attempts, row.reason) == ("queued", 1, "450 later")
    assert "but another worker has taken it up" in caplog.text


def test_the_lease_is_renewed_while_the_mail_server_is_slow(
    mail_portal: MailPortal, sink: Sink, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "RENEW_SECONDS", 0.01)
    mail = mail_portal.queue()
    sink.script[Stage.DOT] = Act.SILENT
    stop = Event()
    thread = Thread(target=mail_portal.worker.run, args=(stop,))
    thread.start()
    sink.wait_for_command(".")
    clock.advance(timedelta(seconds=50))
    while mail_portal.row(mail).lease_until < clock() + LEASE:
        stop.wait(0.01)
    sink.release()
    stop.set()
    thread.join()
    assert mail_portal.row(mail).state == "sent", "the mail that was being sent is finished"


@pytest.mark.full
def test_eight_processes_send_each_of_1000_mails_once(mail_portal: MailPortal, sink: Sink) -> None:
    mail_portal.queue("customer0@example.com")
    mail_portal.work()  # templates and statements are compiled once, for all workers
    for number in range(1, 1000):
        mail_portal.queue(f"customer{number}@example.com")
    mail_portal.context.database.engine.dispose()
    workers = [fork(mail_portal.work) for _ in range(8)]
    assert [end_of(worker) for worker in workers] == [0] * 8
    recipients = [received.envelope.recipients[0] for received in sink.messages]
    assert sorted(recipients) == sorted(f"customer{number}@example.com" for number in range(1000))
    assert set(mail_portal.states()) == {"sent"}
    assert sink.connections > 5, "too few of them had something to do"


def test_a_worker_that_waits_for_the_mail_server_blocks_no_request(mail_portal: MailPortal, sink: Sink) -> None:
    mail = mail_portal.queue()
    sink.script[Stage.DOT] = Act.SILENT
    thread = Thread(target=mail_portal.work)
    thread.start()
    sink.wait_for_command(".")
    with mail_portal.context.database.write_without_waiting() as connection:
        assert connection.execute(select(OutboxMail.c.id).with_for_update(nowait=True)).scalar_one() == mail
    sink.release()
    thread.join()
    assert mail_portal.row(mail).state == "sent"


def test_other_mails_go_out_while_one_worker_waits_for_a_silent_server(open_office: OpenOffice, sink: Sink) -> None:
    with Sink() as silent:
        silent.script[Stage.RCPT] = Act.SILENT
        stuck, free = open_office(silent), open_office(sink)
        free.queue("first@example.com")
        waiting = Thread(target=stuck.work)
        waiting.start()
        silent.wait_for_command("RCPT")
        for number in range(3):
            free.queue(f"customer{number}@example.com")
        assert free.work() == 0
        assert len(sink.messages) == 3
        assert free.states() == ["queued", "sent", "sent", "sent"]
        silent.release()
        waiting.join()
        assert (free.states(), len(silent.messages)) == (["sent"] * 4, 1)
