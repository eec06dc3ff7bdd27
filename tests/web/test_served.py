"""A running portal: `portal serve` in a process of its own, over real sockets."""

import http.client
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.cli.process import Served, serving
from tests.mail.sink import Sink
from tests.web.conftest import PASSWORD
from tests.web.html import read
from tests.web.post import link_in

EMAIL = "ada@example.com"
CHEAP = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def served(sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    instance: Path = tmp_path_factory.mktemp("served") / "instance"
    with serving(instance, MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), **CHEAP) as served:
        yield served


class Visitor:
    """Cookies and forms over http.client."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._cookies: dict[str, str] = {}

    @property
    def _cookie(self) -> str:
        """The cookies to send, the session first."""
        return "; ".join(f"{name}={self._cookies[name]}" for name in sorted(self._cookies, key="portal".__ne__))

    def go_to(self, served: Served) -> None:
        """Send the next requests to another portal, as behind a load balancer."""
        self._served = served

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str, str]:
        """Return status, Location and body of a response."""
        connection = http.client.HTTPConnection("127.0.0.1", self._served.port, timeout=60)
        with closing(connection):
            connection.request(method, path, body, self.headers(body))
            answer = connection.getresponse()
            text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer.status, answer.getheader("Location", ""), text

    def headers(self, body: str | None = None) -> dict[str, str]:
        """Return the headers of a request with this body."""
        headers = {"Cookie": self._cookie}
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._served.url}
        return headers

    def fill(self, path: str, **typed: str) -> tuple[int, str, str]:
        return self.send(path, self.open(path), **typed)

    def open(self, path: str) -> str:
        """Open a page with a form; return the form's token."""
        return token_in(self.ask("GET", path)[2], path)

    def send(self, path: str, token: str, **typed: str) -> tuple[int, str, str]:
        """Send a form that was opened before."""
        return self.ask("POST", path, form(token, **typed))


def form(token: str, **typed: str) -> str:
    """Encode a form as the body of a request."""
    return urlencode({"csrf_token": token, **typed})


def token_in(page: str, action: str) -> str:
    """Return the token of a page's form for a path."""
    tree, faults = read(page)
    assert faults == []
    (form,) = [form for form in tree.all("form") if form.get("action") == action]
    return form.one("input", name="csrf_token").get("value")


def raw(served: Served, request: bytes, *, wait: float = 60) -> bytes:
    """Return all that the server sends in response to some bytes, until it closes the connection or is silent."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=wait) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have refused before all was sent
            connection.sendall(request)
        answer = b""
        with suppress(TimeoutError, ConnectionResetError):
            while part := connection.recv(65_536):
                answer += part
        return answer


def test_a_customer_registers_over_real_sockets_and_real_smtp(served: Served, sink: Sink) -> None:
    visitor = Visitor(served)
    typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
    assert visitor.fill("/register", **typed)[:2] == (302, "/register/code")
    link = link_in(sink.wait_for(1)[0])
    assert link.startswith(served.url + "/register/verify/")
    path = urlsplit(link).path

    assert visitor.ask("HEAD", path)[0] == 200
    assert visitor.fill(path)[:2] == (302, "/account")
    assert EMAIL in visitor.ask("GET", "/account")[2]
    assert visitor.fill("/account/password", current_password="x", password="y")[0] == 422
    other = Visitor(served)
    assert other.fill("/login", email=EMAIL, password=PASSWORD)[:2] == (302, "/account")


def test_no_response_names_the_server_software(served: Served) -> None:
    requests = [
        b"GET /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /static/portal.css HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    ]
    for request in requests:
        head = raw(served, request).partition(b"\r\n\r\n")[0].lower()
        assert head.startswith(b"http/1."), request[:40]
        assert not any(word in head for word in (b"server:", b"waitress", b"werkzeug", b"python", b"x-powered")), (
            request
        )


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
        b"GET /login HTTP/1.1\nHost: x\n\n",
        b"GET /login HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /login HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET /login HTTP/1.1\r\nHost: x\r\nX\x00Y: 1\r\n\r\n",
    ],
    ids=lambda request: ascii(request[22:80]),
)
def test_an_ambiguous_request_is_refused_and_the_connection_closed(served: Served, request_: bytes) -> None:
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(served, request_ + smuggled)

    assert answer == b"" or answer.split(b" ")[1] in (b"400", b"411", b"501")
    assert b"\r\n\r\nok\n" not in answer


def test_an_odd_host_causes_no_server_error(served: Served) -> None:
    for host in (b"", b"[", b"a" * 300, b"evil.example:x", b"\xff\xfe", b"a b", b"<xss>"):
        answer = raw(served, b"GET /login HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        assert answer.split(b" ")[1] in (b"200", b"400"), host
        assert b"<xss>" not in answer


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_is_too_large_is_refused_without_reading_the_rest(served: Served, framing: str) -> None:
    head = (
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
    )
    body = b"password=" + b"x" * 1_000_000
    if framing == "length":
        request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    else:
        request = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    answer = raw(served, request)

    assert answer.split(b" ")[1] == b"413"


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nemail=",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea",
        b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half of the next", "no chunk"],
)
def test_slow_clients_do_not_delay_others(served: Served, part: bytes) -> None:
    slow = [socket.create_connection(("127.0.0.1", served.port), timeout=5) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(part)
        last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert b"ok\n" in raw(served, last, wait=20), "only when the others were given up"
    finally:
        for connection in slow:
            connection.close()


def test_requests_that_come_in_pieces_or_together_are_answered(served: Served) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            connection.sendall(bytes([byte]))
        connection.sendall(request + last)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b"200 OK") == 3


@pytest.mark.parametrize("long", [b"GET /login?" + b"a" * 40_000, b"GET /login HTTP/1.1\r\nCookie: " + b"a" * 40_000])
def test_a_browser_that_sent_too_much_gets_a_page_in_each_language(served: Served, long: bytes) -> None:
    head, _, page = raw(served, long).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"431"
    assert b"Content-Type: text/html; charset=utf-8" in head
    assert b'<p lang="en">Your browser sent more than we can read.' in page
    assert '<p lang="cs">Váš prohlížeč'.encode() in page
    assert b"aaa" not in page


@pytest.mark.parametrize("fields", [b"/login?next=" + b"a" * 5_000, b"/login HTTP/1.1\r\nCookie: " + b"a" * 9_000])
def test_a_long_query_and_many_cookies_are_read(served: Served, fields: bytes) -> None:
    line = fields if b" HTTP" in fields else fields + b" HTTP/1.1"
    answer = raw(served, b"GET " + line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_head_without_an_end_is_refused(served: Served) -> None:
    assert raw(served, b"GET /" + b"a" * 40_000).split(b" ")[1] == b"431"


def test_health_is_answered_while_many_sign_in(served: Served) -> None:
    with ThreadPoolExecutor(30) as pool:
        tries = [
            pool.submit(Visitor(served).fill, "/login", email=f"a{n}@example.com", password="x") for n in range(30)
        ]
        assert Visitor(served).ask("GET", "/healthz")[0] == 200
        statuses = {each.result()[0] for each in tries}

    assert statuses <= {422, 503}
    assert 422 in statuses


def test_the_log_holds_no_address_password_token_or_cookie(served: Served, sink: Sink) -> None:
    visitor = Visitor(served)
    typed = {
        "email": "canary@example.com",
        "password": "canaries sing at noon",
        "first_name": "Canary",
        "last_name": "C",
    }
    visitor.fill("/register", **typed)
    count = len(sink.messages)
    deadline = time.monotonic() + 60
    while not any(mail["To"] == "canary@example.com" for mail in sink.messages) and time.monotonic() < deadline:
        sink.wait_for(count + 1)
        count += 1
    (mail,) = [mail for mail in sink.messages if mail["To"] == "canary@example.com"]
    path = urlsplit(link_in(mail)).path
    assert visitor.fill(path)[0] == 302
    Visitor(served).fill("/login", email="canary@example.com", password="canaries sing at dawn")
    log = served.log.read_text()

    assert "register" in log
    assert not any(
        word in log for word in ("canary@", "canaries", "Canary", path.rpartition("/")[2], visitor._cookie[7:40])
    )
