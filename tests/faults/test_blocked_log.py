"""The log's reader has stopped: requests and emails continue. tests/test_logging_setup.py tests what happens to the
lines.
"""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.process import PATIENCE_SECONDS, PORTAL, serving, serving_at, wait_until, working
from tests.conftest import SECRET_KEY
from tests.mail.conftest import OpenOffice, open_office, sink
from tests.mail.sink import Sink
from tests.servers.pipe import Pipe
from tests.servers.processes import free_port
from tests.web.conftest import PASSWORD
from tests.web.test_served import CHEAP, Visitor

__all__ = ["open_office", "sink"]
pytestmark = [pytest.mark.on_sqlite, pytest.mark.full]

INTO = ("sh", "-c", 'exec "$@" 2>"$0"')
"""Runs a command with its stderr redirected to the file that is named first."""


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    """A full pipe, as when the program that collects the log has stopped reading."""
    with Pipe(tmp_path / "log") as pipe:
        pipe.fill()
        yield pipe


def test_requests_and_mails_continue_while_the_log_is_blocked(tmp_path: Path, pipe: Pipe) -> None:
    with (
        Sink() as sink,
        serving(
            tmp_path / "instance",
            program=(*INTO, pipe.path, PORTAL),
            MAIL_SERVER=sink.host,
            MAIL_PORT=str(sink.port),
            **CHEAP,
        ) as served,
    ):
        visitor = Visitor(served)
        typed = {"email": "ada@example.com", "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
        assert visitor.fill("/register", **typed)[0] == 302
        sink.wait_for(1)
        assert [visitor.ask("GET", "/login")[0] for _ in range(30)] == [200] * 30
        wait_until(lambda: sum('"/login"' in line for line in pipe.read()) == 30)
        assert {json.loads(line)["level"] for line in pipe.read()} == {"info"}
        served.process.terminate()
        assert served.end() == 0


def test_a_killed_portal_restarts_while_the_log_is_blocked(tmp_path: Path, pipe: Pipe) -> None:
    port = free_port()
    for _ in range(2):
        with serving_at(port, tmp_path / "instance", program=(*INTO, pipe.path, PORTAL)) as served:
            assert Visitor(served).ask("GET", "/healthz")[0] == 200
            served.process.kill()
            assert served.end() == -signal.SIGKILL


def test_a_mail_worker_delivers_while_the_log_is_blocked(
    open_office: OpenOffice, sink: Sink, tmp_path: Path, pipe: Pipe
) -> None:
    for number in range(3):
        open_office(sink).queue(f"a{number}@example.com")
    settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "SECRET_KEY": SECRET_KEY}
    with working(tmp_path / "worker.log", tmp_path, program=(*INTO, pipe.path, PORTAL), **settings) as worker:
        sink.wait_for(3, PATIENCE_SECONDS)
        worker.terminate()
        assert worker.wait(PATIENCE_SECONDS) == 0
