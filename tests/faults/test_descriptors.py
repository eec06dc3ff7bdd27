"""More connections than file descriptors, no descriptor left, connections that send no request."""

import json
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from portal.server.lifecycle import CONNECTIONS
from tests.cli.process import PORTAL, Served, serving, serving_at, wait_until
from tests.mail.sink import Act, Sink, Stage
from tests.server.clients import connected
from tests.servers.processes import free_port
from tests.web.conftest import PASSWORD
from tests.web.test_served import CHEAP, Visitor, raw

pytestmark = pytest.mark.full

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PATIENCE_SECONDS = 12
"""Shorter than connections without a request are kept."""


def limited(limit: str) -> tuple[str | Path, ...]:
    """Runs the portal with a limit of file descriptors for each process."""
    return ("sh", "-c", f'ulimit {limit}; exec "$0" "$@"', PORTAL)


def impatient(seconds: int) -> tuple[str, ...]:
    """Runs a portal that closes connections without a request after this time."""
    limits = f"connection.REQUEST_SECONDS = connection.KEEPALIVE_SECONDS = {seconds}"
    code = f"from portal.server import connection; {limits}; from portal.cli import main; main()"
    return (sys.executable, "-c", code)


def next_descriptor_of(pid: int) -> int:
    """Return the number of the next descriptor: with that as the limit, the process can open nothing."""
    taken = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return min(set(range(len(taken) + 1)) - taken)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A portal with the usual limit of processes, which it can raise."""
    with serving(tmp_path_factory.mktemp("served") / "instance", program=limited("-Sn 1024"), **CHEAP) as served:
        yield served


@pytest.fixture(scope="module")
def cramped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A portal with few descriptors, which it cannot raise."""
    with serving(tmp_path_factory.mktemp("cramped") / "instance", program=limited("-n 64"), **CHEAP) as served:
        yield served


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /healthz HT", HEALTH.replace(b"close", b"keep-alive"), HEALTH],
    ids=["nothing", "half a request", "a request", "a last request"],
)
def test_more_idle_connections_than_file_descriptors_block_no_new_client(cramped: Served, said: bytes) -> None:
    before = cramped.complaints()
    with connected(cramped, 100, said):
        began = time.monotonic()
        typed = {"email": "ada@example.com", "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
        assert Visitor(cramped).fill("/register", **typed)[0] == 302
        assert time.monotonic() - began < PATIENCE_SECONDS, "only when the others were given up"
    assert cramped.process.poll() is None
    assert cramped.complaints() == before


def test_more_idle_connections_than_the_limit_block_no_new_client(served: Served) -> None:
    count = CONNECTIONS + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * count)), hard))  # of the test itself
    with connected(served, count):
        began = time.monotonic()
        assert b"ok\n" in raw(served, HEALTH, wait=PATIENCE_SECONDS)
        # With the usual limit, the database can open what it needs.
        assert Visitor(served).fill("/login", email="ada@example.com", password="wrong")[0] == 422
        assert time.monotonic() - began < PATIENCE_SECONDS, "only when the others were given up"


def test_clients_that_never_close_delay_no_other(served: Served) -> None:
    with connected(served, 20, HEALTH):
        assert b"ok\n" in raw(served, HEALTH, wait=PATIENCE_SECONDS)


def test_announced_large_bodies_that_never_arrive_delay_no_other(served: Served) -> None:
    with connected(served, 60, b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n") as refused:
        assert b"ok\n" in raw(served, HEALTH, wait=PATIENCE_SECONDS)
        assert refused[-1].recv(100).startswith(b"HTTP/1.1 413 ")


def test_connections_without_a_request_are_closed(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "instance", program=impatient(1)) as served,
        connected(served, 10) as silent,
        connected(served, 10, b"GET /healthz HT") as halting,
    ):
        assert [connection.recv(100) for connection in [*silent, *halting]] == [b""] * 20


def test_a_client_that_sends_for_ever_after_its_last_response_is_closed(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "instance", program=impatient(1)) as served,
        connected(served, 1, HEALTH) as (client,),
    ):
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")

        def is_closed() -> bool:
            try:
                client.sendall(b"a")
            except ConnectionError:
                return True
            return False

        wait_until(is_closed)


def test_a_portal_without_free_file_descriptors_waits_without_errors(served: Served) -> None:
    pid = served.process.pid
    said = len(served.complaints())
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next_descriptor_of(pid), before[1]))
    try:
        with connected(served, 3, HEALTH) as waiting:
            wait_until(lambda: any("cannot accept a connection" in line for line in served.complaints()[said:]))
            spent = cpu_seconds(pid)
            time.sleep(1.5)
            assert cpu_seconds(pid) - spent < 0.2, "the loop turns as fast as it can"
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            assert [b"200" in connection.recv(1000) for connection in waiting] == [True] * 3
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    messages = {json.loads(line)["message"] for line in served.complaints()[said:]}
    assert messages == {"cannot accept a connection: Too many open files"}


def test_a_portal_killed_by_the_kernel_restarts_and_sends_its_claimed_mail(tmp_path: Path) -> None:
    """Kill the process without notice, as for lack of memory; then start it again, as systemd does."""
    instance, port = tmp_path / "instance", free_port()
    with Sink() as sink:
        settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), **CHEAP}
        with serving_at(port, instance, **settings) as killed:
            sink.script[Stage.DATA] = Act.SILENT
            typed = {"email": "ada@example.com", "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
            assert Visitor(killed).fill("/register", **typed)[0] == 302
            sink.wait_for_command("DATA")
            killed.process.kill()
            assert killed.end() == -signal.SIGKILL
        with serving_at(port, instance, **settings) as served:
            assert Visitor(served).ask("GET", "/healthz")[0] == 200
            sink.script.clear()
            sink.release()
            with closing(sqlite3.connect(instance / "portal.sqlite3", timeout=30)) as connection, connection:
                aged = connection.execute("UPDATE outbox SET lease_until = created_at WHERE claim IS NOT NULL")
                assert aged.rowcount == 1
            (mail,) = sink.wait_for(1)
            assert mail["To"] == "ada@example.com"
            assert served.complaints() == []
