"""Keys, identities, tokens, passwords and addresses are never in a log, wherever a caller sends them."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cli.process import Served, run_portal, serving

CANARY = "canary"
IDENTITY = "CANARY" + "i" * 26
TOKEN = "CANARY" + "t" * 50
PASSWORD = "CANARY violet harbour"
EMAIL = "canary@example.com"
CHEAP = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}


@pytest.fixture(scope="module", params=["json", pytest.param("text", marks=pytest.mark.full)])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    instance: Path = tmp_path_factory.mktemp("served") / "instance"
    with serving(instance, LOG_FORMAT=request.param, **CHEAP) as served:
        yield served


@pytest.fixture(scope="module")
def key(served: Served) -> str:
    """A new key; the log of its creation is part of the test."""
    made = run_portal(served.log.parent / "instance", "api-key", "create", "--kind", "PROD")
    assert made.returncode == 0, made.stderr
    key = made.stdout.splitlines()[-1]
    assert key not in made.stderr
    return key


def ask(served: Served, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    sent = {"Content-Type": "application/json", **headers}
    connection.request(method, path, json.dumps(body) if body is not None else None, sent)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def send(served: Served, request: bytes) -> None:
    """Send bytes and read the response."""
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", served.port), timeout=5) as connection,
    ):
        connection.sendall(request)
        while connection.recv(65_536):
            pass


def test_the_log_contains_no_secret_of_any_request(served: Served, key: str) -> None:
    login = {"email": EMAIL, "password": PASSWORD}
    customer = "/api/v1/customer"
    bearer = {"Authorization": f"Bearer {key}"}
    assert ask(served, "POST", f"{customer}/login?apiKey={key}", login)[0] == 200
    assert ask(served, "POST", f"{customer}/login", {**login, "apiKey": key})[0] == 200
    assert ask(served, "POST", f"{customer}/register-account?apiKey={key}", {**login, "name": "Canary C"})[0] == 200
    assert ask(served, "POST", f"{customer}/magic-auth", {"email": EMAIL}, **bearer)[0] == 200
    assert ask(served, "GET", f"{customer}/get-account-info?identityId={IDENTITY}&apiKey={key}")[0] == 200
    assert ask(served, "POST", f"{customer}/logout", {"identityId": IDENTITY}, **bearer)[0] == 200
    for endpoint in ("register-account-verify", "set-new-password"):
        assert ask(served, "POST", f"{customer}/{endpoint}", {"token": TOKEN, "password": PASSWORD}, **bearer)[0] == 200

    secret = f"apiKey={key}&identityId={IDENTITY}&token={TOKEN}&email={quote(EMAIL)}"
    assert ask(served, "GET", f"{customer}/{TOKEN}?{secret}")[0] == 404
    assert ask(served, "GET", f"/{TOKEN}?{secret}")[0] == 404
    assert ask(served, "PUT", f"{customer}/login?{secret}", login)[0] == 405
    assert ask(served, "POST", f"{customer}/login?{secret}", "x" * 70_000)[0] == 413
    assert ask(served, "POST", f"{customer}/login?{secret}", [EMAIL])[0] == 400
    assert ask(served, "POST", f"{customer}/login?{secret}", {"email": EMAIL, "country": EMAIL})[0] == 422
    assert ask(served, "POST", f"{customer}/login?{secret}&apiKey=2", login)[0] == 400
    assert ask(served, "POST", f"{customer}/login?apiKey={key[:-1]}", login)[0] == 404
    assert ask(served, "POST", f"{customer}/login?apiKey=PROD{'CANARY' * 4}abcd", login)[0] == 404

    target = f"{customer}/login?{secret}".encode()
    authorized = b"Host: x\r\nAuthorization: Bearer " + key.encode() + b"\r\n"
    for request in (
        b"GET " + target + b" HTTP/9.9\r\n" + authorized + b"\r\n",
        b"GET " + target + b" nonsense\r\n" + authorized + b"\r\n",
        b"G@T " + target + b" HTTP/1.1\r\n" + authorized + b"\r\n",
        b"GET " + target + b" HTTP/1.1\r\n" + authorized + b"Broken " + key.encode() + b"\r\n\r\n",
        b"GET " + target + b" HTTP/1.1\r\n" + authorized + b"X: " + key.encode() + b"\x00\r\n\r\n",
        b"POST " + target + b" HTTP/1.1\r\n" + authorized + b"Transfer-Encoding: chunked\r\n\r\n",
        b"POST " + target + b" HTTP/1.1\r\n" + authorized + b"Content-Length: " + key.encode() + b"\r\n\r\n",
        b"GET " + target + b"a" * 40_000 + b" HTTP/1.1\r\n" + authorized + b"\r\n",
        b"GET http://[" + target + b" HTTP/1.1\r\n" + authorized + b"\r\n",
        key.encode() + b"\r\n\r\n",
    ):
        send(served, request)
    assert ask(served, "POST", f"{customer}/logout", {"identityId": IDENTITY}, **bearer)[0] == 200

    log = served.log.read_text()
    assert "/api/v1/customer/login" in log
    assert "sign_in" in log
    assert key[4:] not in log
    assert CANARY not in log.lower()
