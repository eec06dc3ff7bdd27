"""The mail worker: what it sends, stores, logs and deletes."""

import logging
from datetime import timedelta
from threading import Event, Thread
from time import monotonic

import pytest
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from portal.mail import worker as worker_module
from portal.mail.worker import MailWorker
from portal.storage.models import Organisation
from tests.conftest import MovableClock
from tests.mail.conftest import OpenOffice
from tests.mail.mail_portal import ADA, MailPortal
from tests.mail.sink import Sink

pytestmark = pytest.mark.differs_on_postgresql


def test_a_due_mail_is_sent_once(mail_portal: MailPortal, sink: Sink) -> None:
    mail = mail_portal.queue()
    assert mail_portal.work() == 0
    assert mail_portal.work() == 0
    assert [received.envelope.recipients for received in sink.messages] == [(ADA,)]
    assert sink.messages[0].envelope.sender == "portal@localhost"
    row = mail_portal.row(mail)
    assert (row.state, row.claim, row.lease_until, row.finished_at) == ("sent", None, None, mail_portal.context.clock())


def test_several_mails_share_one_connection_that_ends_when_nothing_is_due(mail_portal: MailPortal, sink: Sink) -> None:
    for number in range(5):
        mail_portal.queue(f"customer{number}@example.com")
    mail_portal.work()
    assert len(sink.messages) == 5
    assert sink.connections == 1
    sink.wait_for_command("QUIT")


def test_a_woken_worker_sends_what_was_queued_meanwhile(
    mail_portal: MailPortal, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 3600.0)
    stop = Event()
    thread = Thread(target=mail_portal.worker.run, args=(stop,))
    thread.start()
    for count in (1, 2):
        mail_portal.queue()
        mail_portal.worker.wake.set()
        sink.wait_for(count)
    stop.set()
    mail_portal.worker.wake.set()
    thread.join()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OperationalError("SELECT canary", {}, Exception("canary")),
            "the database is not available (DatabaseUnavailable)",
        ),
        (KeyError("canary"), "unexpected error (KeyError)"),
    ],
)
def test_an_error_outside_a_mail_pauses_the_worker_and_loses_nothing(
    mail_portal: MailPortal, sink: Sink, caplog: pytest.LogCaptureFixture, error: Exception, words: str
) -> None:
    def fail(*_args: object) -> None:
        raise error

    mail_portal.queue()
    event.listen(mail_portal.context.database.engine, "before_cursor_execute", fail)
    assert mail_portal.work() > 0
    event.remove(mail_portal.context.database.engine, "before_cursor_execute", fail)
    assert mail_portal.work() == 0
    assert len(sink.messages) == 1
    assert words in caplog.text
    assert "canary" not in caplog.text


def test_a_result_that_could_not_be_stored_at_first_is_stored_and_nothing_goes_out_twice(
    mail_portal: MailPortal, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "RECORD_PAUSE_SECONDS", 0.0)
    failures = iter(range(3))

    def fail(_connection: object, _cursor: object, _statement: str, parameters: object, *_rest: object) -> None:
        if sink.messages and next(failures, None) is not None:
            raise OperationalError("", {}, Exception())

    mail = mail_portal.queue()
    event.listen(mail_portal.context.database.engine, "before_cursor_execute", fail)
    mail_portal.work()
    event.remove(mail_portal.context.database.engine, "before_cursor_execute", fail)
    mail_portal.work()
    assert mail_portal.row(mail).state == "sent"
    assert len(sink.messages) == 1


def test_each_result_is_one_line_without_an_address(
    mail_portal: MailPortal, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "portal.mail")
    sink.refused = {"bad@example.com": "550 no bad@example.com", "slow@example.com": "450 slow@example.com"}
    for recipient in (ADA, "bad@example.com", "slow@example.com"):
        mail_portal.queue(recipient)
    mail_portal.work()
    assert [record.getMessage() for record in caplog.records] == [
        "mail 1 password_changed: sent",
        "mail 2 password_changed: refused, set aside",
        "mail 3 password_changed: put off",
    ]


def test_a_vertical_tab_in_an_organisations_name_makes_no_header_line(mail_portal: MailPortal, sink: Sink) -> None:
    with mail_portal.context.database.write() as connection:
        name = "Shop" + "".join(f"{mark}Bcc: eve@example.com" for mark in "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
        connection.execute(update(Organisation).values(name=name))
    mail_portal.queue()
    mail_portal.work()
    (received,) = sink.messages
    assert "Bcc" not in received
    head = received.raw.partition(b"\r\n\r\n")[0].decode("ascii")
    assert not [line for line in head.splitlines() if line.startswith("Bcc")]
    assert received.envelope.recipients == (ADA,)


def test_the_worker_deletes_old_rows_at_most_once_an_hour(
    mail_portal: MailPortal, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plant() -> None:
        mail_portal.queue_raw(state="sent", finished_at=clock() - timedelta(days=31))

    plant()
    mail_portal.work()
    assert mail_portal.states() == []
    plant()
    mail_portal.work()
    assert mail_portal.states() == ["sent"]
    began = monotonic()
    monkeypatch.setattr(worker_module, "monotonic", lambda: began + 3600)
    mail_portal.work()
    assert mail_portal.states() == []


def test_a_worker_without_a_mail_server_fills_the_local_mailbox(open_office: OpenOffice) -> None:
    mail_portal = open_office()
    mail = mail_portal.queue()
    assert MailWorker(mail_portal.app).work(Event()) == 0
    assert mail_portal.row(mail).state == "sent"
    assert len(list((mail_portal.settings.instance_path / "mailbox" / "new").iterdir())) == 1


def test_mails_wait_for_a_local_mailbox_that_cannot_be_written(open_office: OpenOffice) -> None:
    mail_portal = open_office()
    (mail_portal.settings.instance_path / "mailbox").write_text("in the way")
    mail = mail_portal.queue()
    assert mail_portal.work() > 0
    assert (mail_portal.row(mail).state, mail_portal.row(mail).attempts) == ("queued", 0)
