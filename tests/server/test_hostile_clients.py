"""Clients that send invalid or partial requests, or never read, occupy no thread and cause no traceback."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from portal.security_headers import MAX_BODY, SECURITY_HEADERS
from tests.cli.process import Served, run_portal, serving, wait_until
from tests.long_tests import LONG
from tests.server.clients import connected
from tests.web.test_served import CHEAP, Visitor, raw

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MULTIPART = POST.replace(b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=b")
CLIENTS = 40
"""More than there are threads."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served") / "instance", **CHEAP) as served:
        yield served
        faults = [
            line for line in served.complaints() if '"portal.logging_setup"' not in line
        ]  # too many lines at once
        assert faults == [], "what a client sends is never an error of the portal's"


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 1234567890123456789012\r\n\r\n",
        POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        POST + b"Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n",
        HEALTH.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
        MULTIPART + b"Content-Length: 5000\r\n\r\n--b\r\n",
        CHUNKED + b"7d0\r\n",
    ],
    ids=["22 digits", "5000 digits", "Expect, long body", "Expect, no body", "multipart", "chunked"],
)
def test_requests_that_never_end_hold_no_thread(served: Served, sent: bytes) -> None:
    with connected(served, CLIENTS, sent):
        assert b"\r\n\r\nok\n" in raw(served, LAST_HEALTH, wait=10)


@pytest.fixture(scope="module")
def logo(served: Served) -> str:
    """Return a path with the longest response."""
    picture = served.log.with_name("logo.svg")
    picture.write_text(f'<svg xmlns="http://www.w3.org/2000/svg"><title>{"a" * 250_000}</title></svg>')
    ended = run_portal(served.log.parent / "instance", "organisation", "set", "default", "--logo", str(picture))
    assert ended.returncode == 0, ended.stderr
    wait_until(lambda: Visitor(served).ask("GET", "/organisation/logo")[0] == 200)
    return "/organisation/logo"


@pytest.mark.parametrize("path", ["/organisation/logo", pytest.param("/api/v1/openapi.json", marks=pytest.mark.full)])
def test_clients_that_pipeline_and_never_read_hold_no_thread_and_little_memory(
    served: Served, logo: str, path: str
) -> None:
    asked = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 150
    memory = memory_mib(served)
    with connected(served, CLIENTS, asked):
        before, answered = 0, -1
        while before != answered:  # until the last response has come
            before = answered
            time.sleep(1)
            answered = served.log.read_text().count(f'"route": "{path}"')
        assert b"\r\n\r\nok\n" in raw(served, LAST_HEALTH, wait=10)
        assert memory_mib(served) - memory < CLIENTS, "not all responses are kept"


def memory_mib(served: Served) -> int:
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def test_a_client_that_pipelines_and_reads_late_gets_whole_responses(served: Served, logo: str) -> None:
    last = f"GET {logo} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    length = len(raw(served, last))
    with connected(served, 1, last.replace(b"close", b"keep-alive") * 150) as (client,):
        time.sleep(1)
        answer = b"".join(iter(lambda: client.recv(1_000_000), b""))
    count = answer.count(b"HTTP/1.1 200 OK\r\n")
    assert 1 <= count < 150, "those for which there was room"
    assert len(answer) == count * (length - len(b"Connection: close\r\n"))


@pytest.mark.parametrize(
    "body",
    [
        b"5 \r\nemail\r\n0\r\n\r\n",
        b"5\t;a=b\r\nemail\r\n0\r\n\r\n",
        b"5\n\r\nemail\r\n0\r\n\r\n",
        b"5\nemail\n0\n\n",
        b"\r\n5\r\nemail\r\n0\r\n\r\n",
        b"5\r\nemail\r\n\r\n0\r\n\r\n",
        b"5\r\nemailX\r\n0\r\n\r\n",
        b"5\r\nemail\n0\r\n\r\n",
        b"-5\r\nemail\r\n0\r\n\r\n",
        b"0x5\r\nemail\r\n0\r\n\r\n",
        b"5;a=\x00\r\nemail\r\n0\r\n\r\n",
        b"5\r\nemail\r\n0\r\nA: b\r\n\r\n",
        b"5\r\nemail\r\n0\r\n\n\r\n\r\n",
        b"5\r\nemail\r\n0\r\nA: b\n\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=ascii,
)
def test_a_broken_chunk_or_a_trailer_is_refused_and_the_connection_closed(served: Served, body: bytes) -> None:
    answer = raw(served, CHUNKED + body + LAST_HEALTH)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1, "what follows would be smuggled"


def test_a_refusal_is_plain_json_with_the_headers_of_every_answer(served: Served) -> None:
    head, _, body = raw(served, b"NONSENSE\r\n\r\n").partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert head.startswith(b"HTTP/1.1 400 ")
    assert headers.items() >= SECURITY_HEADERS.items()
    assert headers["Connection"] == "close"
    assert "Server" not in headers
    assert json.loads(body)["error"]["code"] == "BAD_REQUEST"
    assert b"NONSENSE" not in body


def test_a_refused_head_request_gets_no_body(served: Served) -> None:
    head, _, body = raw(served, b"HEAD /login HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert body == b""


@pytest.mark.parametrize("body", [b"", b"email=a%40b.example"])
def test_a_client_that_expects_100_continue_gets_it_once(served: Served, body: bytes) -> None:
    head = POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 19\r\n\r\n"
    with connected(served, 1, head + body) as (client,):
        answer = client.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not body:
            assert answer.endswith(b"Continue\r\n\r\n")
            client.sendall(b"email=a%40b.example")
        answer += b"".join(iter(lambda: client.recv(10_000), b""))
    assert answer.count(b"100 Continue") == 1
    assert answer.split(b"\r\n\r\n")[1].startswith(b"HTTP/1.1 400 "), "no form token"


def test_a_pipelined_request_that_expects_100_continue_is_answered_without_it(served: Served) -> None:
    """It would come from a thread while the loop sends the previous response, and could corrupt that."""
    head = POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 19\r\n\r\n"
    with connected(served, 1, HEALTH + head) as (client,):
        parts, page = iter(lambda: client.recv(10_000), b""), b""
        while b"ok\n" not in page:
            page += next(parts)
        client.sendall(b"email=a%40b.example")
        answer = b"".join(parts)
    assert page.endswith(b"ok\n")
    assert answer.startswith(b"HTTP/1.1 400 "), "no form token"


def test_a_client_whose_body_is_too_large_gets_no_100_continue(served: Served) -> None:
    with connected(served, 5, POST + b"Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n") as clients:
        assert [client.recv(10_000)[:13] for client in clients] == [b"HTTP/1.1 413 "] * 5


@pytest.mark.parametrize("path", [b"/login", b"/api/v1/customer/login"])
def test_the_answer_to_a_body_that_is_too_large_always_arrives(served: Served, path: bytes) -> None:
    """Closing a connection with unread data would lose the response that is on its way."""
    body = b"x" * 3_000_000
    head = POST.replace(b"/login", path).replace(
        b"x-www-form-urlencoded", b"json" if b"api" in path else b"x-www-form-urlencoded"
    )
    request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    answers = []
    for _ in range(20):
        with connected(served, 1, request) as (client,):
            answers.append(b"".join(iter(lambda: client.recv(100_000), b"")))
    assert {answer[:13] for answer in answers} == {b"HTTP/1.1 413 "}
    assert all((b"CONTENT_TOO_LARGE" in answer) == path.startswith(b"/api") for answer in answers)


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, b"400"), (MAX_BODY + 1, b"413")])
def test_the_largest_body_is_64_kib(served: Served, size: int, status: bytes) -> None:
    head = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size
    assert raw(served, head + b"a" * size).split(b" ")[1] == status


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"X: " + b"a" * 20_000 + b"\r\n", b"431"),
        (b"".join(b"X%d: a\r\n" % number for number in range(200)), b"400"),
        (b"".join(b"X%d: a\r\n" % number for number in range(50)), b"200"),
        (b"X: " + b"a" * 8_000 + b"\r\n", b"200"),
    ],
    ids=["long", "many", "some", "fairly long"],
)
def test_a_head_has_a_size_and_a_number_of_headers(served: Served, head: bytes, status: bytes) -> None:
    request = LAST_HEALTH.replace(b"\r\n\r\n", b"\r\n" + head + b"\r\n")
    assert raw(served, request).split(b" ")[1] == status


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /healthz HTTP/1.1\nHost: x\n\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\n\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /healthz HTTP/3.7\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health\tz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET \x01/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \r\n\r\n",
        b"POST /login HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=ascii,
)
def test_an_ambiguous_head_is_a_400_and_the_connection_closed(served: Served, request_: bytes) -> None:
    with connected(served, 1, request_) as (client,):
        answer = b"".join(iter(lambda: client.recv(10_000), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_urgent_data_ends_a_connection(served: Served) -> None:
    """HTTP has no urgent data, and the loop would be busy until it is read."""
    with connected(served, 1, b"") as (client,), suppress(ConnectionResetError):
        client.send(b"!", socket.MSG_OOB)
        assert client.recv(1) == b""


@pytest.mark.full
def test_fifty_slow_heads_and_fifty_slow_bodies_leave_the_sign_in_page_answered(served: Served) -> None:
    ended = Event()

    def drip(connections: list[socket.socket], part: bytes) -> None:
        while not ended.wait(0.1):
            for connection in connections:
                with suppress(OSError):  # its timeout has passed
                    connection.sendall(part)

    with (
        connected(served, 50, b"GET /login HTTP/1.1\r\nHost: x\r\nX: ") as heads,
        connected(served, 50, POST + b"Content-Length: 60000\r\n\r\nemail=") as bodies,
    ):
        drips = [Thread(target=drip, args=(connections, b"a")) for connections in (heads, bodies)]
        for each in drips:
            each.start()
        try:
            for _ in range(2000 if LONG else 100):
                assert Visitor(served).ask("GET", "/login")[0] == 200
                time.sleep(0.01)
        finally:
            ended.set()
            for each in drips:
                each.join()
