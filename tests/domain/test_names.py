"""Names that are looked up: in a stated time, once for all who ask, with the last answer where none comes."""

import errno
import socket
import subprocess
import sys
from secrets import token_hex
from threading import Thread
from threading import enumerate as living
from time import monotonic

import pytest

from portal.domain import names
from portal.domain.names import Lookup, connect
from tests.domain.watching import PATIENCE, in_parallel, wait_until
from tests.servers.dead import dead_addresses
from tests.servers.resolver import Resolver

FAILURES = [
    socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure in name resolution"),
    socket.gaierror(socket.EAI_SYSTEM, "System error"),
    OSError(errno.EMFILE, "Too many open files"),
]
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
WITHOUT_ADDRESS = socket.gaierror(socket.EAI_NODATA, "No address associated with hostname")


@pytest.fixture
def host() -> str:
    """A name that no other test has asked for."""
    return f"{token_hex(8)}.example.com"


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return resolver


def addresses(host: str, seconds: float = PATIENCE) -> list[str]:
    return Lookup(host).addresses(seconds)


def asking(host: str) -> list[Thread]:
    """The threads that wait for the resolver."""
    return [thread for thread in living() if thread.name == f"name {host}"]


def test_a_name_leads_where_the_system_says() -> None:
    assert set(addresses("localhost")) & {"127.0.0.1", "::1"}


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "fe80::1%eth0"])
def test_nobody_is_asked_where_an_address_leads(resolver: Resolver, address: str) -> None:
    resolver.leads = {address: UNKNOWN}
    assert addresses(address) == [address]
    assert resolver.questions == 0


def test_nobody_waits_longer_than_they_want_and_all_who_wait_are_one_question(resolver: Resolver, host: str) -> None:
    resolver.leads = {host: ["192.0.2.1"]}
    resolver.answers.clear()
    for outcome in in_parallel([lambda: addresses(host, 0.1)] * 20):
        assert isinstance(outcome, TimeoutError)
        assert host in str(outcome)
    assert (resolver.questions, len(asking(host))) == (1, 1)
    resolver.answers.set()
    wait_until(lambda: asking(host) == [])
    resolver.leads = {host: ["192.0.2.2"]}
    assert addresses(host) == ["192.0.2.2"], "an answer that came is not asked for again"


def test_an_answer_that_comes_too_late_serves_those_who_ask_after(resolver: Resolver, host: str) -> None:
    resolver.leads = {host: ["192.0.2.1"]}
    resolver.answers.clear()
    with pytest.raises(TimeoutError):
        addresses(host, 0.05)
    resolver.answers.set()
    wait_until(lambda: asking(host) == [])
    resolver.answers.clear()
    assert addresses(host, 0.05) == ["192.0.2.1"]
    resolver.answers.set()


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_the_last_answer_stands_in_for_a_day_while_no_other_can_be_had(
    resolver: Resolver, host: str, failure: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver.leads = {host: ["192.0.2.1", "192.0.2.2"]}
    assert addresses(host) == ["192.0.2.1", "192.0.2.2"]
    resolver.leads = {host: failure}
    assert addresses(host) == ["192.0.2.1", "192.0.2.2"]
    monkeypatch.setattr(names, "KEPT_SECONDS", 0)
    with pytest.raises(OSError, match=failure.strerror):
        addresses(host)


@pytest.mark.parametrize("gone", [UNKNOWN, WITHOUT_ADDRESS], ids=str)
def test_a_name_that_is_gone_leads_nowhere_until_it_is_back(resolver: Resolver, host: str, gone: OSError) -> None:
    resolver.leads = {host: ["192.0.2.1"]}
    assert addresses(host) == ["192.0.2.1"]
    resolver.leads = {host: gone}
    with pytest.raises(socket.gaierror):
        addresses(host)
    resolver.leads = {host: ["192.0.2.2"]}
    assert addresses(host) == ["192.0.2.2"]


@pytest.mark.parametrize("wrong", ["a..example.com", "a" * 64 + ".example.com"])
def test_what_cannot_be_a_name_is_a_name_that_there_is_not(wrong: str) -> None:
    for _ in range(2):
        with pytest.raises(socket.gaierror) as caught:
            addresses(wrong)
        assert caught.value.errno == socket.EAI_NONAME
    assert asking(wrong) == []


def test_without_a_thread_to_ask_in_the_last_answer_serves_until_there_is_one(
    resolver: Resolver, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoThread(Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without:
        without.setattr(names, "Thread", NoThread)
        with pytest.raises(OSError, match="can't start new thread"):
            addresses(host)
    resolver.leads = {host: ["192.0.2.1"]}
    assert addresses(host) == ["192.0.2.1"]
    resolver.leads = {host: ["192.0.2.2"]}
    with monkeypatch.context() as without:
        without.setattr(names, "Thread", NoThread)
        assert addresses(host) == ["192.0.2.1"]
    assert addresses(host) == ["192.0.2.2"]


FORKED = """
import os, signal, socket, sys, time
from portal.domain import names

signal.alarm(60)
socket.getaddrinfo = lambda *arguments, **options: time.sleep(60)
names.Lookup("db.example.com")
with names._lock:
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        socket.getaddrinfo = lambda *arguments, **options: [(0, 0, 0, "", ("192.0.2.1", 0))]
        os._exit(names.Lookup("db.example.com").addresses(20) != ["192.0.2.1"])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_neither_a_forked_process_nor_the_end_of_one_waits_for_the_resolver() -> None:
    assert subprocess.run([sys.executable, "-c", FORKED], timeout=PATIENCE * 2, check=False).returncode == 0


def test_addresses_that_are_dead_share_the_time_and_leave_some_to_the_one_that_lives(
    resolver: Resolver, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    create_connection = socket.create_connection

    def noted(address: tuple[str, int], seconds: float) -> socket.socket:
        given.append(seconds)
        return create_connection(address, seconds)

    monkeypatch.setattr(socket, "create_connection", noted)
    with socket.create_server(("127.0.0.1", 0)) as alive, dead_addresses(4, alive.getsockname()[1]) as (dead, port):
        resolver.leads = {host: [*dead, "127.0.0.1"]}
        with connect(host, port, 4) as connected:
            assert connected.getpeername() == ("127.0.0.1", port)
    assert len(given) == 5
    assert all(0.2 < seconds < 2 for seconds in given)


def test_a_name_of_many_dead_addresses_is_given_up_in_time(resolver: Resolver, host: str) -> None:
    with dead_addresses(40) as (dead, port):
        resolver.leads = {host: dead}
        begun = monotonic()
        with pytest.raises(OSError, match="timed out"):
            connect(host, port, 0.5)
        assert monotonic() - begun < 10, "each of the forty got all of the time"
