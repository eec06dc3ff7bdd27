"""invariants.py finds every violation, and accepts what a kill may cause."""

import json
from pathlib import Path

import pytest

from tests.faults.invariants import of_logs, of_mails
from tests.faults.journal import Journal
from tests.mail.conftest import mail_portal, open_office, sink
from tests.mail.mail_portal import MailPortal
from tests.mail.sink import Sink

__all__ = ["mail_portal", "open_office", "sink"]
pytestmark = [pytest.mark.on_sqlite, pytest.mark.full]


def test_a_mail_may_be_repeated_once_for_each_kill_during_its_delivery(mail_portal: MailPortal, sink: Sink) -> None:
    name = mail_portal.row(mail_portal.queue()).message_id
    mail_portal.work()
    with mail_portal.context.database.read() as connection:
        assert of_mails(sink.messages, connection, {}) == []
        assert of_mails(sink.messages * 3, connection, {name: 2}) == []
        assert of_mails(sink.messages * 3, connection, {name: 1, "another": 5}) == [
            f"mail {name} came 3 times, and 1 kills can be why"
        ]


def test_a_line_that_bypasses_the_portals_log_is_reported(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    own = json.dumps({"level": "info", "message": "mail 1 verify: sent"})
    log.write_text(f"{own}\n\n{own}\n")
    assert of_logs(Journal(), [log]) == []
    log.write_text(f"{own}\nTraceback (most recent call last):\n")
    assert of_logs(Journal(), [log]) == ["worker.log has a line that is no JSON: Traceback (most recent call last):"]
