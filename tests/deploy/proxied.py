"""Portals behind the nginx of deploy/, as in production."""

import http.client
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.cli.process import PATIENCE_SECONDS, PORTAL, environment, run_portal, wait_until
from tests.deploy.nginx import find_nginx
from tests.servers.processes import free_port

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "portal.conf"
NGINX = find_nginx()
HOST = "portal.example.com"


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
class ProxiedPortals:
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
        """Fill in and send a form; return the status."""
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


@contextmanager
def build(folder: Path, *, portals: int, rate: str, burst: str) -> Iterator[ProxiedPortals]:
    http_port, https_port = free_port(), free_port()
    with ExitStack() as stack:
        upstreams = []
        assert run_portal(folder / "instance", "db", "upgrade").returncode == 0
        for _ in range(portals):
            upstreams.append(Upstream(folder / "instance", f"https://{HOST}:{https_port}"))
            stack.callback(upstreams[-1].kill)
        make_certificate(folder)
        ports = [upstream.port for upstream in upstreams]
        configure(folder, http_port, https_port, ports, {"rate=20r/s": rate, "burst=60": burst})
        stack.enter_context(running_nginx(folder, https_port))
        yield ProxiedPortals(http_port, https_port, upstreams)


@contextmanager
def running_nginx(folder: Path, https_port: int) -> Iterator[int]:
    """Run nginx with the configuration in a folder; return the id of its process."""
    with ExitStack() as stack:
        nginx = subprocess.Popen([str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")])
        stack.callback(nginx.wait, PATIENCE_SECONDS)
        stack.callback(nginx.terminate)
        wait_until(lambda: listens(https_port))
        yield nginx.pid


def make_certificate(folder: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=60)


def configure(folder: Path, http_port: int, https_port: int, ports: list[int], limits: Mapping[str, str]) -> None:
    """Write nginx.conf: the example with other ports and certificates, and nothing of the machine's own."""
    text = CONFIGURATION.read_text()
    upstream = "    server 127.0.0.1:{} max_fails=0;\n"
    for there, here in {
        "listen 80;": f"listen 127.0.0.1:{http_port};",
        "    listen [::]:80;\n": "",
        "listen 443 ssl;": f"listen 127.0.0.1:{https_port} ssl;",
        "    listen [::]:443 ssl;\n": "",
        upstream.format(5000) + upstream.format(5001): "".join(map(upstream.format, ports)),
        "/etc/ssl/portal": str(folder),
        **limits,
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


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
