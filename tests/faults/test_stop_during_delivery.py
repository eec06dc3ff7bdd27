"""A mail worker that is stopped while it sends an email finishes that one and begins no other."""

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.cli.process import PATIENCE_SECONDS, serving, working
from tests.mail.sink import Act, Sink, Stage
from tests.web.conftest import PASSWORD
from tests.web.test_served import CHEAP, Visitor

pytestmark = [pytest.mark.on_sqlite, pytest.mark.full]

Begin = Callable[[Path, Sink], Any]


@contextmanager
def portal(instance: Path, sink: Sink) -> Iterator["Popen[Any]"]:
    """Run `portal serve`, which delivers the emails that were requested at it."""
    with serving(instance, MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), **CHEAP) as served:
        ask_for_two(Visitor(served))
        yield served.process


@contextmanager
def worker(instance: Path, sink: Sink) -> Iterator["Popen[Any]"]:
    """Run `portal worker`, which delivers the emails that were requested while the mail server was unreachable."""
    with Sink() as away:
        nowhere = {"MAIL_SERVER": away.host, "MAIL_PORT": str(away.port)}
    with serving(instance, **nowhere, **CHEAP) as served:
        ask_for_two(Visitor(served))
    with working(instance.parent / "log", instance, MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port)) as process:
        yield process


def ask_for_two(visitor: Visitor) -> None:
    for name in ("ada", "bob"):
        typed = {"email": f"{name}@example.com", "password": PASSWORD, "first_name": "A", "last_name": "B"}
        assert visitor.fill("/register", **typed)[0] == 302


@pytest.mark.parametrize("begin", [portal, worker])
def test_at_a_stop_the_mail_in_data_is_finished_and_the_next_one_waits(tmp_path: Path, begin: Begin) -> None:
    instance = tmp_path / "private" / "instance"
    with Sink() as sink:
        sink.script[Stage.DOT] = Act.SILENT
        with begin(instance, sink) as process:
            sink.wait_for_command(".")
            process.send_signal(signal.SIGTERM)
            time.sleep(1)
            assert process.poll() is None
            sink.script.clear()
            sink.release()
            assert process.wait(PATIENCE_SECONDS) == 0
        (mail,) = sink.messages
        with closing(sqlite3.connect(instance / "portal.sqlite3")) as database:
            rows = dict(database.execute("SELECT recipient, state FROM outbox WHERE claim IS NULL"))
    assert mail["To"] == "ada@example.com"
    assert rows == {"ada@example.com": "sent", "bob@example.com": "queued"}
