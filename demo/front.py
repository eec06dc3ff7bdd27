"""A TLS reverse proxy for several servers with one host name each."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

_TIMEOUT_SECONDS = 60
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


def make_certificate(folder: Path, hosts: list[str]) -> Path:
    """Create a self-signed certificate with its key in the same file; exits if there is no openssl."""
    if shutil.which("openssl") is None:
        raise SystemExit("openssl: not found; install it, since the demo creates its certificate with it.")
    path = folder / "certificate.pem"
    names = ",".join(f"DNS:{host}" for host in hosts)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "30", "-subj", f"/CN={hosts[0]}", "-addext", f"subjectAltName={names}"),
            *("-keyout", str(path), "-out", str(folder / "only.pem")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + (folder / "only.pem").read_text())
    path.chmod(0o600)
    return path


class Front(ThreadingHTTPServer):
    """A TLS proxy on a port of this machine; `behind` has the local port of each host name."""

    daemon_threads = True

    def __init__(self, certificate: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Request)
        self.behind: dict[str, int] = {}
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; its own thread does the TLS handshake, so that a slow client delays no other."""
        connection, address = super().get_request()
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: browsers close connections at any time."""

    def url(self, host: str) -> str:
        """Return the URL of a host."""
        return f"https://{host}:{self.server_port}"


@contextmanager
def fronting(certificate: Path, port: int = 0) -> Iterator[Front]:
    """Run a proxy for the duration of the block."""
    front = Front(certificate, port)
    thread = Thread(target=front.serve_forever)
    thread.start()
    try:
        yield front
    finally:
        front.shutdown()
        thread.join()
        front.server_close()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Forward a request to the server of its host, and return the response."""
        front = cast(Front, self.server)
        port = front.behind.get(self.headers.get("Host", "").partition(":")[0])
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if port is None:
            self.send_error(404)
            return
        connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(self.command, self.path, body or None, self._headers())
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name is http.server's

    def _headers(self) -> Mapping[str, str]:
        sent = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        return {
            **sent,
            "X-Forwarded-For": self.client_address[0],
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": self.headers["Host"],
        }

    def log_message(self, *_arguments: object) -> None:
        """Log nothing: paths may contain tokens."""
