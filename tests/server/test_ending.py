"""The end of `portal serve`, and connections that are kept alive until then."""

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from select import select

import pytest

from portal.domain.passwords.hashing import MAX_QUEUED_HASHES
from portal.threads import CORES
from tests.cli.process import PATIENCE_SECONDS, Served, serving, wait_until
from tests.web.test_served import CHEAP, Visitor, form

COSTLY = {"ARGON2_TIME_COST": "20", "LOGIN_LIMIT_NETWORK": "1000 per hour"}
"""Argon2 parameters so slow that sign-ins are still waiting during the next step of the test."""


def patched(changes: str) -> tuple[str, ...]:
    """Runs a portal after some changes to its code."""
    return (sys.executable, "-c", f"{changes}\nfrom portal.cli import main\nmain()")


@contextmanager
def signing_in(served: Served, count: int) -> Iterator[list[http.client.HTTPConnection]]:
    """Send a number of sign-in forms at once; yield the connections before their responses are read."""
    visitors = [Visitor(served) for _ in range(count)]
    tokens = [visitor.open("/login") for visitor in visitors]
    with ExitStack() as stack:
        connections = []
        for number, (visitor, token) in enumerate(zip(visitors, tokens, strict=True)):
            body = form(token, email=f"a{number}@example.com", password="seven tall herons wade")
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE_SECONDS)
            connections.append(stack.enter_context(closing(connection)))
            connection.request("POST", "/login", body, visitor.headers(body))
        yield connections


def statuses(connections: list[http.client.HTTPConnection]) -> list[int]:
    return [connection.getresponse().status for connection in connections]


@pytest.mark.full
def test_sign_ins_in_progress_at_the_signal_are_all_answered(tmp_path: Path) -> None:
    patient = patched(f"from portal.server import lifecycle\nlifecycle.GRACEFUL_SECONDS = {PATIENCE_SECONDS}")
    with serving(tmp_path / "instance", program=patient, **COSTLY) as served:  # a busy machine may need more than 30 s
        with signing_in(served, 20) as connections:
            served.process.terminate()
            answers = statuses(connections)
        assert served.end() == 0
        assert set(answers) <= {422, 503}
        assert answers.count(422) >= min(20, CORES + MAX_QUEUED_HASHES), "all that had a thread"
        assert served.complaints() == []


@pytest.mark.full
def test_a_page_does_not_wait_for_sign_ins(tmp_path: Path) -> None:
    count = CORES + MAX_QUEUED_HASHES
    with serving(tmp_path / "instance", **COSTLY) as served, signing_in(served, count) as connections:
        for _ in range(3):
            assert Visitor(served).ask("GET", "/login")[0] == 200
        answered, _, _ = select([connection.sock for connection in connections], [], [], 0)
        assert len(answered) < count, "the page came after all sign-ins"
        assert statuses(connections) == [422] * count


def test_a_keep_alive_connection_is_answered_after_the_signal_and_closed(tmp_path: Path) -> None:
    with serving(tmp_path / "instance") as served:
        kept = [http.client.HTTPConnection("127.0.0.1", served.port, timeout=30) for _ in range(10)]
        for connection in kept:
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b"ok\n"
        served.process.terminate()
        answers = []
        for connection, path in zip(kept, ["/login", "/readyz"] * 5, strict=True):
            with closing(connection):
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                answers.append((path, answer.status, answer.getheader("Connection")))
        assert answers == [("/login", 200, "close"), ("/readyz", 503, "close")] * 5
        assert served.end() == 0


def test_the_port_is_released_at_once_while_requests_are_finished(tmp_path: Path) -> None:
    with serving(tmp_path / "instance") as served:
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
            wait_until(lambda: Visitor(served).ask("GET", "/healthz")[0] == 200)  # the previous connection was accepted
            served.process.terminate()
            with serving_elsewhere(served.port):
                client.sendall(b"\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        assert served.end() == 0


def serving_elsewhere(port: int) -> socket.socket:
    """Another socket that listens on the port, as soon as it is free."""
    found: list[socket.socket] = []

    def listens() -> bool:
        try:
            found.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            return False
        return True

    wait_until(listens)
    return found[0]


def test_more_signals_change_nothing(tmp_path: Path) -> None:
    """A terminal signals the process, and so does `make`; one signal may interrupt the handler of another."""
    with (
        serving(tmp_path / "instance") as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=30) as client,
    ):
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        wait_until(lambda: Visitor(served).ask("GET", "/healthz")[0] == 200)  # the previous connection was accepted
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            os.kill(served.process.pid, signal.SIGINT)
            os.kill(served.process.pid, signal.SIGTERM)
        client.sendall(b"\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        assert served.end() == 0


@pytest.mark.full
def test_a_request_that_never_ends_delays_the_end_no_longer_than_stated(tmp_path: Path) -> None:
    limits = "lifecycle.GRACEFUL_SECONDS = 1; connection.REQUEST_SECONDS = 3600"
    program = patched(f"from portal.server import connection, lifecycle\n{limits}")
    with (
        serving(tmp_path / "instance", program=program) as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=30) as client,
    ):
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        wait_until(lambda: Visitor(served).ask("GET", "/healthz")[0] == 200)  # the previous connection was accepted
        served.process.terminate()
        assert served.end() == 0


@pytest.mark.full
def test_a_connection_that_is_used_again_after_five_seconds_is_not_cut(tmp_path: Path) -> None:
    with serving(tmp_path / "instance") as served:
        kept = [http.client.HTTPConnection("127.0.0.1", served.port, timeout=30) for _ in range(40)]
        for _ in range(2):
            for connection in kept:
                connection.request("GET", "/healthz")
                assert connection.getresponse().read() == b"ok\n"
            time.sleep(5)
        for connection in kept:
            connection.close()


@pytest.mark.full
def test_a_request_that_comes_before_an_idle_connection_is_closed_is_answered(tmp_path: Path) -> None:
    program = patched("from portal.server import connection\nconnection.KEEPALIVE_SECONDS = 2")
    with (
        serving(tmp_path / "instance", program=program) as served,
        closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)) as kept,
    ):
        kept.request("GET", "/healthz")
        assert kept.getresponse().read() == b"ok\n"
        served.process.send_signal(signal.SIGSTOP)
        try:
            kept.request("GET", "/healthz")
            time.sleep(2.5)  # its deadline has passed
        finally:
            served.process.send_signal(signal.SIGCONT)
        assert kept.getresponse().read() == b"ok\n"
        assert kept.sock is not None
        assert kept.sock.recv(1) == b"", "it is closed when it is idle"


@pytest.mark.parametrize(
    "raised",
    [
        "RuntimeError",
        pytest.param("MemoryError", marks=pytest.mark.full),
        pytest.param("OSError", marks=pytest.mark.full),
    ],
)
def test_an_error_outside_the_application_is_logged_without_the_path(tmp_path: Path, raised: str) -> None:
    # Python 3.13 shows the source of a program given by -c in a traceback, so the program does not name the secret.
    program = patched(
        "from portal import api\n"
        "whole = api.ApiDispatcher.__call__\n"
        "def broken(self, environ, start):\n"
        f"    if environ['PATH_INFO'].startswith('/password/reset/'): raise {raised}(environ['PATH_INFO'])\n"
        "    return whole(self, environ, start)\n"
        "api.ApiDispatcher.__call__ = broken"
    )
    with serving(tmp_path / "instance", program=program, **CHEAP) as served:
        status, _, text = Visitor(served).ask("GET", "/password/reset/canary")
        assert status == 500
        wait_until(lambda: len(served.complaints()) > 0)
        served.process.terminate()
        assert served.end() == 0
        assert raised in served.complaints()[0]
        assert "canary" not in served.log.read_text() + text
