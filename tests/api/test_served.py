"""The API of a running portal, called by other programs than the test client."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.process import Served, run_portal, serving
from tests.web.test_served import raw

CHEAP = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}
LOGIN = {"email": "nobody@example.com", "password": "x"}
PATH = "/api/v1/customer/login"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    instance: Path = tmp_path_factory.mktemp("served") / "instance"
    with serving(instance, **CHEAP) as served:
        yield served


@pytest.fixture(scope="module")
def key(served: Served) -> str:
    made = run_portal(served.log.parent / "instance", "api-key", "create", "--kind", "ROOT")
    return made.stdout.splitlines()[-1]


def head(key: str, *lines: str) -> bytes:
    more = ["Host: x", f"Authorization: Bearer {key}", "Content-Type: application/json", *lines]
    return "\r\n".join([f"POST {PATH} HTTP/1.1", *more, "", ""]).encode()


@pytest.mark.full
def test_a_body_in_chunks_is_read_as_one_of_known_length(served: Served, key: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for _ in range(2):  # on one connection
        parts = iter([b'{"email": "nobody@exa', b'mple.com", "pass', b'word": "x"}'])
        connection.request("POST", PATH, parts, headers, encode_chunked=True)
        answer = connection.getresponse()
        assert json.loads(answer.read())["errorCode"] == "E002"
    connection.close()


def test_what_follows_a_body_in_chunks_is_the_next_request(served: Served, key: str) -> None:
    body = json.dumps(LOGIN).encode()
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(served, head(key, "Transfer-Encoding: chunked") + chunks + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"E002" in answer
    assert answer.endswith(b"ok\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ((["Transfer-Encoding: chunked"], b"nonsense\r\n"), 400),
        ((["Transfer-Encoding: chunked"], b"1\r\nab\r\n"), 400),
        ((["Transfer-Encoding: chunked"], b"10000\r\n" + b" " * 0x10000 + b"\r\n0\r\n\r\n"), 413),
        ((["Transfer-Encoding: chunked"], b"1\r\n \r\n" * 20_000), 413),
        ((["Transfer-Encoding: chunked", "Content-Length: 2"], b"0\r\n\r\n"), 400),
        ((["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], b"0\r\n\r\n"), 400),
        ((["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n"), 400),
        ((["Content-Length: 1", "Content-Length: 2"], b"ab"), 400),
        ((["Content-Length: 100000"], b""), 413),
        (([f"X: {'a' * 40_000}"], b""), 431),
        (([" folded: x"], b""), 400),
    ],
    ids=str,
)
def test_a_malformed_request_is_answered_in_json(
    served: Served, key: str, request_: tuple[list[str], bytes], status: int
) -> None:
    lines, body = request_
    answer = raw(served, head(key, *lines) + body)
    top, _, content = answer.partition(b"\r\n\r\n")
    assert int(top.split()[1]) == status, answer
    assert b"Content-Type: application/json" in top
    assert b"no-store" in top
    error = json.loads(content)["error"]
    assert error.keys() == {"code", "message", "description"}


def test_a_client_that_expects_100_continue_gets_it(served: Served, key: str) -> None:
    body = json.dumps(LOGIN).encode()
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.sendall(head(key, f"Content-Length: {len(body)}", "Expect: 100-continue", "Connection: close"))
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        assert b"E002" in b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_thousand_repeated_fields_do_not_slow_the_portal(served: Served, key: str) -> None:
    fields = ",".join(f'"{number}":1' for number in range(6000))
    body = f'{{{fields},"5999":1}}'.encode()
    answer = raw(served, head(key, f"Content-Length: {len(body)}", "Connection: close") + body)
    assert answer.split(b" ")[1] == b"422"
