"""F6: what is asked after kills (oracle.py) tells what a kill is the reason for from what it is not."""

import json
from pathlib import Path

import pytest

from tests.faults.journal import Journal
from tests.faults.oracle import of_logs, of_mails
from tests.mail.conftest import office, open_office, sink
from tests.mail.office import Office
from tests.mail.sink import Sink

__all__ = ["office", "open_office", "sink"]
pytestmark = [pytest.mark.on_sqlite, pytest.mark.full]


def test_a_mail_may_come_again_for_each_kill_that_it_was_in_and_no_other_may(office: Office, sink: Sink) -> None:
    name = office.row(office.queue()).message_id
    office.work()
    with office.context.database.read() as connection:
        assert of_mails(sink.messages, connection, {}) == []
        assert of_mails(sink.messages * 3, connection, {name: 2}) == []
        assert of_mails(sink.messages * 3, connection, {name: 1, "another": 5}) == [
            f"mail {name} came 3 times, and 1 kills can be why"
        ]


def test_a_line_past_the_portals_own_log_is_told_of(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    own = json.dumps({"level": "info", "message": "mail 1 verify: sent"})
    log.write_text(f"{own}\n\n{own}\n")
    assert of_logs(Journal(), [log]) == []
    log.write_text(f"{own}\nTraceback (most recent call last):\n")
    assert of_logs(Journal(), [log]) == ["worker.log has a line that is no JSON: Traceback (most recent call last):"]
