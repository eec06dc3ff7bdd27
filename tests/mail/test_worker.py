"""The worker: what it sends, stores, logs and clears away."""

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
from tests.mail.office import ADA, Office
from tests.mail.sink import Sink

pytestmark = pytest.mark.differs_on_postgresql


def test_a_due_mail_is_sent_once(office: Office, sink: Sink) -> None:
    mail = office.queue()
    assert office.work() == 0
    assert office.work() == 0
    assert [received.envelope.recipients for received in sink.messages] == [(ADA,)]
    assert sink.messages[0].envelope.sender == "portal@localhost"
    row = office.row(mail)
    assert (row.state, row.claim, row.lease_until, row.finished_at) == ("sent", None, None, office.context.clock())


def test_several_mails_travel_on_one_connection_that_ends_when_nothing_is_due(office: Office, sink: Sink) -> None:
    for number in range(5):
        office.queue(f"customer{number}@example.com")
    office.work()
    assert len(sink.messages) == 5
    assert sink.connections == 1
    sink.wait_for_command("QUIT")


def test_a_woken_worker_sends_what_was_queued_meanwhile(
    office: Office, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 3600.0)
    stop = Event()
    thread = Thread(target=office.worker.run, args=(stop,))
    thread.start()
    for count in (1, 2):
        office.queue()
        office.worker.wake.set()
        sink.wait_for(count)
    stop.set()
    office.worker.wake.set()
    thread.join()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OperationalError("SELECT canary", {}, Exception("canary")),
            "the database does not answer (DatabaseUnavailable)",
        ),
        (KeyError("canary"), "something unexpected (KeyError)"),
    ],
)
def test_whatever_goes_wrong_around_the_mails_pauses_the_worker_and_loses_nothing(
    office: Office, sink: Sink, caplog: pytest.LogCaptureFixture, error: Exception, words: str
) -> None:
    def fail(*_args: object) -> None:
        raise error

    office.queue()
    event.listen(office.context.database.engine, "before_cursor_execute", fail)
    assert office.work() > 0
    event.remove(office.context.database.engine, "before_cursor_execute", fail)
    assert office.work() == 0
    assert len(sink.messages) == 1
    assert words in caplog.text
    assert "canary" not in caplog.text


def test_a_result_that_could_not_be_stored_at_first_is_stored_and_nothing_goes_out_twice(
    office: Office, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "RECORD_PAUSE_SECONDS", 0.0)
    failures = iter(range(3))

    def fail(_connection: object, _cursor: object, _statement: str, parameters: object, *_rest: object) -> None:
        if sink.messages and next(failures, None) is not None:
            raise OperationalError("", {}, Exception())

    mail = office.queue()
    event.listen(office.context.database.engine, "before_cursor_execute", fail)
    office.work()
    event.remove(office.context.database.engine, "before_cursor_execute", fail)
    office.work()
    assert office.row(mail).state == "sent"
    assert len(sink.messages) == 1


def test_each_result_is_one_line_without_an_address(
    office: Office, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "portal.mail")
    sink.refused = {"bad@example.com": "550 no bad@example.com", "slow@example.com": "450 slow@example.com"}
    for recipient in (ADA, "bad@example.com", "slow@example.com"):
        office.queue(recipient)
    office.work()
    assert [record.getMessage() for record in caplog.records] == [
        "mail 1 password_changed: sent",
        "mail 2 password_changed: refused, set aside",
        "mail 3 password_changed: put off",
    ]


def test_a_vertical_tab_in_an_organisations_name_makes_no_header_line(office: Office, sink: Sink) -> None:
    with office.context.database.write() as connection:
        name = "Shop" + "".join(f"{mark}Bcc: eve@example.com" for mark in "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
        connection.execute(update(Organisation).values(name=name))
    office.queue()
    office.work()
    (received,) = sink.messages
    assert "Bcc" not in received
    head = received.raw.partition(b"\r\n\r\n")[0].decode("ascii")
    assert not [line for line in head.splitlines() if line.startswith("Bcc")]
    assert received.envelope.recipients == (ADA,)


def test_old_rows_are_purged_by_the_worker_at_most_once_an_hour(
    office: Office, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plant() -> None:
        office.queue_raw(state="sent", finished_at=clock() - timedelta(days=31))

    plant()
    office.work()
    assert office.states() == []
    plant()
    office.work()
    assert office.states() == ["sent"]
    began = monotonic()
    monkeypatch.setattr(worker_module, "monotonic", lambda: began + 3600)
    office.work()
    assert office.states() == []


def test_a_worker_without_a_mail_server_fills_the_local_mailbox(open_office: OpenOffice) -> None:
    office = open_office()
    mail = office.queue()
    assert MailWorker(office.app).work(Event()) == 0
    assert office.row(mail).state == "sent"
    assert len(list((office.settings.instance_path / "mailbox" / "new").iterdir())) == 1


def test_mails_wait_for_a_local_mailbox_that_cannot_be_written(open_office: OpenOffice) -> None:
    office = open_office()
    (office.settings.instance_path / "mailbox").write_text("in the way")
    mail = office.queue()
    assert office.work() > 0
    assert (office.row(mail).state, office.row(mail).attempts) == ("queued", 0)
