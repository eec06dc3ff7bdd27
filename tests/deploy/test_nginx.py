"""deploy/nginx/portal.conf, in front of two portals: the very file, with ports and certificates of the test's own."""

import http.client
import json
import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlencode

import pytest

from tests.cli.process import PATIENCE_SECONDS, PORTAL, environment, free_port, run_portal, wait_until
from tests.deploy.nginx import find_nginx, find_openssl

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "portal.conf"
NGINX = find_nginx()
HOST = "portal.example.com"

pytestmark = [
    pytest.mark.skipif(NGINX is None or find_openssl() is None, reason="no nginx or no openssl here"),
    pytest.mark.long,
]


class Upstream:
    """One portal behind the proxy; it can be restarted on its port."""

    def __init__(self, instance: Path, base_url: str) -> None:
        self.port = free_port()
        self._environment = environment(
            instance,
            BASE_URL=base_url,
            TRUSTED_PROXIES="1",
            LOG_FORMAT="json",
            ARGON2_TIME_COST="1",
            ARGON2_MEMORY_KIB="8",
            LOGIN_LIMIT_NETWORK="100000 per hour",
            LOGIN_LIMIT_ACCOUNT="100000 per hour",
        )
        self._log = instance.parent / f"{self.port}.log"
        self.start()

    def start(self) -> None:
        command = [str(PORTAL), "serve", "--port", str(self.port)]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        wait_until(self._is_ready)

    def end(self) -> int:
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(PATIENCE_SECONDS)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str


@dataclass
class House:
    """nginx, and the portals behind it."""

    http_port: int
    https_port: int
    upstreams: list[Upstream]

    def ask(self, method: str, path: str, body: str | None = None, *, tls: bool = True, **headers: str) -> Answer:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the certificate is the test's own
        connection = (
            http.client.HTTPSConnection("127.0.0.1", self.https_port, timeout=30, context=context)
            if tls
            else http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        )
        port = self.https_port if tls else self.http_port
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Host": f"{HOST}:{port}", **names})
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers, answer.read().decode())
        connection.close()
        return found

    def sign_in_wrongly(self) -> int:
        """The status of a form that was filled in and sent."""
        page = self.ask("GET", "/login")
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.body)
        if page.status != 200 or token is None:
            return page.status
        typed = {"csrf_token": token[1], "email": "ada@example.com", "password": "seven tall herons wade"}
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        return self.ask(
            "POST",
            "/login",
            urlencode(typed),
            Cookie=cookie,
            Origin=f"https://{HOST}:{self.https_port}",
            Content_Type="application/x-www-form-urlencoded",
        ).status


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    http_port, https_port = free_port(), free_port()
    with ExitStack() as stack:
        upstreams = []
        assert run_portal(folder / "instance", "db", "upgrade").returncode == 0
        for _ in range(2):
            upstreams.append(Upstream(folder / "instance", f"https://{HOST}:{https_port}"))
            stack.callback(upstreams[-1].kill)
        make_certificate(folder)
        configure(folder, http_port, https_port, [upstream.port for upstream in upstreams])
        nginx = subprocess.Popen([str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")])
        stack.callback(nginx.wait, PATIENCE_SECONDS)
        stack.callback(nginx.terminate)
        house = House(http_port, https_port, upstreams)
        wait_until(lambda: listens(house))
        yield house


def make_certificate(folder: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=60)


def configure(folder: Path, http_port: int, https_port: int, ports: list[int]) -> None:
    """Write nginx.conf: the example, with other ports and certificates, and nothing of the machine's own."""
    text = CONFIGURATION.read_text()
    for there, here in {
        "listen 80;": f"listen 127.0.0.1:{http_port};",
        "    listen [::]:80;\n": "",
        "listen 443 ssl;": f"listen 127.0.0.1:{https_port} ssl;",
        "    listen [::]:443 ssl;\n": "",
        "127.0.0.1:5000": f"127.0.0.1:{ports[0]}",
        "127.0.0.1:5001": f"127.0.0.1:{ports[1]}",
        "/etc/ssl/portal": str(folder),
        "rate=20r/s": "rate=2000r/s",
        "burst=60": "burst=2000",
    }.items():
        assert there in text
        text = text.replace(there, here)
    (folder / "portal.conf").write_text(text)
    own = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{own}include {folder}/portal.conf;\n}}\n"
    )


def listens(house: House) -> bool:
    try:
        return house.ask("GET", "/healthz").status == 200
    except OSError:
        return False


def test_pages_come_over_tls_with_secure_cookies(house: House) -> None:
    answer = house.ask("GET", "/login")
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert answer.headers["Set-Cookie"].startswith("__Host-portal=")
    assert "; Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Server"] == "nginx"


def test_a_form_works_through_the_proxy(house: House) -> None:
    assert house.sign_in_wrongly() == 422


def test_plain_http_leads_to_https(house: House) -> None:
    answer = house.ask("GET", "/login?next=/account", tls=False)
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{HOST}/login?next=/account")


def test_the_api_is_refused_over_plain_http(house: House) -> None:
    answer = house.ask("POST", "/api/v1/customer/login?apiKey=x", "{}", tls=False)
    assert answer.status == 403
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body)["error"]["code"] == "FORBIDDEN"


def test_a_large_body_stops_at_the_proxy(house: House) -> None:
    assert house.ask("POST", "/login", "x" * 100_000).status == 413


def test_a_client_cannot_say_where_it_comes_from(house: House) -> None:
    """The mailbox is shown to this machine only, and no proxy's visitor is on it."""
    answer = house.ask("GET", "/dev/mailbox", X_Forwarded_For="127.0.0.1", Forwarded="for=127.0.0.1")
    assert answer.status == 404


def test_a_rolling_restart_fails_no_request(house: House) -> None:
    """F19: each portal is restarted in turn, twice, while customers sign in."""
    ended, seen = Event(), list[int]()

    def keep_asking() -> None:
        while not ended.is_set():
            seen.append(house.sign_in_wrongly())

    customers = [Thread(target=keep_asking) for _ in range(3)]
    for customer in customers:
        customer.start()
    try:
        for upstream in house.upstreams * 2:
            before = len(seen)
            assert upstream.end() == 0
            upstream.start()
            wait_until(lambda before=before: len(seen) > before)  # type: ignore[misc] # mypy cannot infer such a lambda
    finally:
        ended.set()
        for customer in customers:
            customer.join()
    assert set(seen) == {422}
