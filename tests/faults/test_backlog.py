"""F22: thousands of mails wait, and an urgent one comes; tests/domain/test_delivery.py says which is claimed first."""

from collections.abc import Iterator
from threading import Event, Thread
from time import monotonic, sleep

import pytest
from sqlalchemy import insert

from portal.domain.outbox import MailState, Notice
from portal.storage.models import OutboxMail
from tests.cli.process import PATIENCE_SECONDS
from tests.long import LONG
from tests.mail.conftest import office, open_office, sink
from tests.mail.office import ADA, Office
from tests.mail.sink import Sink

pytestmark = pytest.mark.full

__all__ = ["office", "open_office", "sink"]

BACKLOG = 100_000 if LONG else 3000
URGENT_SECONDS = 15
"""At most from the asking to the mail server; behind the others it would be minutes."""


@pytest.fixture
def backlog(office: Office) -> None:
    """Notices that everybody is sent at once."""
    due = office.context.clock()
    mail = {
        "organisation_id": 1,
        "notice": Notice.PASSWORD_CHANGED,
        "is_urgent": False,
        "recipient": "bulk@example.com",
        "state": MailState.QUEUED,
        "due_at": due,
        "created_at": due,
    }
    for begin in range(0, BACKLOG, 1000):  # all at once would take longer than the portal waits for its database
        mails = [{**mail, "message_id": f"bulk-{begin + number}"} for number in range(1000)]
        with office.context.database.write() as connection:
            connection.execute(insert(OutboxMail), mails)


@pytest.fixture
def working(office: Office, backlog: None, sink: Sink) -> Iterator[None]:
    """A worker has begun to send them."""
    stop = Event()
    worker = Thread(target=office.worker.run, args=(stop,))
    worker.start()
    try:
        sink.wait_for(10, PATIENCE_SECONDS)
        yield
    finally:
        stop.set()
        worker.join()


@pytest.mark.usefixtures("working")
def test_a_reset_link_arrives_before_all_that_wait_and_they_go_on(office: Office, sink: Sink) -> None:
    for notice in (Notice.RESET, Notice.VERIFY, Notice.RESET):
        before = len(sink.messages)
        office.queue(ADA, notice)
        asked, on_their_way = monotonic(), len(sink.messages)
        while ADA not in (recipients := [mail["To"] for mail in sink.messages[before:]]):
            assert monotonic() - asked < URGENT_SECONDS
            sleep(0.01)
        assert before + recipients.index(ADA) <= on_their_way + 2, "one that was not on its way yet came first"
        sink.wait_for(len(sink.messages) + 10)
    assert "queued" in office.states(), "there was no backlog any more"
