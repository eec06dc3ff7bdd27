"""An urgent mail overtakes a queue of thousands; tests/domain/operations/test_mail_delivery.py tests the order."""

from collections.abc import Iterator
from threading import Event, Thread
from time import monotonic, sleep

import pytest
from sqlalchemy import insert

from portal.domain.outbox import MailState, Notice
from portal.storage.models import OutboxMail
from tests.cli.process import PATIENCE_SECONDS
from tests.long_tests import LONG
from tests.mail.conftest import mail_portal, open_office, sink
from tests.mail.mail_portal import ADA, MailPortal
from tests.mail.sink import Sink

pytestmark = pytest.mark.full

__all__ = ["mail_portal", "open_office", "sink"]

BACKLOG = 100_000 if LONG else 3000
URGENT_SECONDS = 15
"""The longest time from the request to the mail server; after the other emails it would take minutes."""


@pytest.fixture
def backlog(mail_portal: MailPortal) -> None:
    """Notices to all customers at once."""
    due = mail_portal.context.clock()
    mail = {
        "organisation_id": 1,
        "notice": Notice.PASSWORD_CHANGED,
        "is_urgent": False,
        "recipient": "bulk@example.com",
        "state": MailState.QUEUED,
        "due_at": due,
        "created_at": due,
    }
    for begin in range(
        0, BACKLOG, 1000
    ):  # in parts, since one statement would take longer than the portal waits for its database
        mails = [{**mail, "message_id": f"bulk-{begin + number}"} for number in range(1000)]
        with mail_portal.context.database.write() as connection:
            connection.execute(insert(OutboxMail), mails)


@pytest.fixture
def working(mail_portal: MailPortal, backlog: None, sink: Sink) -> Iterator[None]:
    """A worker that has begun to send them."""
    stop = Event()
    worker = Thread(target=mail_portal.worker.run, args=(stop,))
    worker.start()
    try:
        sink.wait_for(10, PATIENCE_SECONDS)
        yield
    finally:
        stop.set()
        worker.join()


@pytest.mark.usefixtures("working")
def test_a_reset_email_overtakes_the_mail_queue(mail_portal: MailPortal, sink: Sink) -> None:
    for notice in (Notice.RESET, Notice.VERIFY, Notice.RESET):
        before = len(sink.messages)
        mail_portal.queue(ADA, notice)
        asked, on_their_way = monotonic(), len(sink.messages)
        while ADA not in (recipients := [mail["To"] for mail in sink.messages[before:]]):
            assert monotonic() - asked < URGENT_SECONDS
            sleep(0.01)
        assert before + recipients.index(ADA) <= on_their_way + 2, "one that was not on its way yet came first"
        sink.wait_for(len(sink.messages) + 10)
    assert "queued" in mail_portal.states(), "there was no backlog any more"
