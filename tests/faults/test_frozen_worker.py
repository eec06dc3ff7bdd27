"""F8: a `portal worker` that is frozen past its lease while it sends a mail, or killed, and another beside it."""

import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests.cli.process import PATIENCE_SECONDS, wait_until, working
from tests.conftest import SECRET_KEY
from tests.faults.dying import end_leases
from tests.mail.sink import Act, Stage
from tests.web.conftest import PASSWORD, Site

EMAIL = "ada@example.com"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


@pytest.fixture
def in_data(site: Site, tmp_path: Path, log: Path) -> Iterator["Popen[bytes]"]:
    """A worker that has said DATA and waits for the answer."""
    sink = site._sink
    sink.script[Stage.DATA] = Act.SILENT
    site.browser().register(EMAIL, PASSWORD)
    settings = {
        "DATABASE_URL": site.settings.database_url,
        "SECRET_KEY": SECRET_KEY,
        "MAIL_SERVER": sink.host,
        "MAIL_PORT": str(sink.port),
    }
    with working(log, tmp_path, **settings) as worker:
        sink.wait_for_command("DATA", PATIENCE_SECONDS)
        yield worker


def test_the_late_result_of_a_frozen_worker_is_ignored(site: Site, in_data: "Popen[bytes]", log: Path) -> None:
    sink = site._sink
    in_data.send_signal(signal.SIGSTOP)
    with site.context.database.write() as connection:
        end_leases(connection)
    sink.script = {Stage.RCPT: "550 no such mailbox"}
    site.deliver()
    (decided,) = site.rows()["outbox"]
    assert (decided["state"], decided["attempts"], decided["reason"]) == ("dead", 1, "550 no such mailbox")
    sink.release()
    in_data.send_signal(signal.SIGCONT)
    wait_until(lambda: "sent, but another worker has taken it up" in log.read_text())
    assert site.rows()["outbox"] == [decided]
    assert len(sink.messages) == 1


@pytest.mark.on_postgresql
def test_the_mail_of_a_killed_worker_is_taken_up_when_its_lease_is_over(site: Site, in_data: "Popen[bytes]") -> None:
    sink = site._sink
    in_data.kill()
    in_data.wait()
    sink.script = {}
    assert site.mails() == []
    with site.context.database.write() as connection:
        end_leases(connection)
    assert site.browser().fill(site.link(EMAIL), {"password": PASSWORD}).status == 302
    (row,) = site.rows()["outbox"]
    assert (row["state"], row["attempts"]) == ("sent", 0)
