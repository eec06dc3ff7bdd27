"""A `portal worker` that is frozen past its lease while it sends a mail, or killed, and another beside it."""

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import Popen
from time import sleep

import pytest
from sqlalchemy import update

from portal.storage.clock import utc_now
from portal.storage.models import OutboxMail
from tests.cli.process import PATIENCE_SECONDS, wait_until, working
from tests.conftest import SECRET_KEY
from tests.long_tests import LONG
from tests.mail.sink import Act, Stage
from tests.web.conftest import PASSWORD, Site

pytestmark = pytest.mark.full

EMAIL = "ada@example.com"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


@pytest.fixture
def in_data(site: Site, tmp_path: Path, log: Path) -> Iterator["Popen[bytes]"]:
    """A worker that has sent DATA and waits for the reply."""
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


def pass_lease(site: Site) -> None:
    """Wait for the time of a lease; in the short form of a test, expire it."""
    if LONG:
        sleep(65)
    else:
        change_mail(site, lease_until=utc_now() - timedelta(seconds=1))


def change_mail(site: Site, **values: datetime) -> None:
    """Expire the lease of the only email."""
    with site.context.database.write() as connection:
        connection.execute(update(OutboxMail).values(**values))


def test_the_late_result_of_a_frozen_worker_is_ignored(site: Site, in_data: "Popen[bytes]", log: Path) -> None:
    sink = site._sink
    in_data.send_signal(signal.SIGSTOP)
    pass_lease(site)
    sink.script = {Stage.RCPT: "450 later"}
    site.deliver()
    change_mail(site, due_at=utc_now() + timedelta(minutes=10))  # long after the end of this test
    (decided,) = site.rows()["outbox"]
    assert (decided["state"], decided["attempts"], decided["reason"]) == ("queued", 1, "450 later")
    sink.script = {}
    sink.release()
    in_data.send_signal(signal.SIGCONT)
    wait_until(lambda: "verify: sent" in log.read_text())
    assert site.rows()["outbox"] == [decided]
    assert "sent, but another worker has taken it up" in log.read_text()
    assert len(sink.messages) == 1


@pytest.mark.on_postgresql
def test_the_mail_of_a_killed_worker_is_claimed_again_when_its_lease_expires(
    site: Site, in_data: "Popen[bytes]"
) -> None:
    sink = site._sink
    in_data.kill()
    in_data.wait()
    sink.script = {}
    assert site.mails() == []
    pass_lease(site)
    assert site.browser().fill(site.link(EMAIL), {"password": PASSWORD}).status == 302
    (row,) = site.rows()["outbox"]
    assert (row["state"], row["attempts"]) == ("sent", 0)
