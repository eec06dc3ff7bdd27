"""TLS in front of several servers, one host name each, as a proxy puts it there in production."""

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

_PATIENCE_SECONDS = 60
_OF_ONE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


def make_certificate(folder: Path, hosts: list[str]) -> Path:
    """A certificate that signs itself, with its key in the same file. Exits where there is no openssl."""
    if shutil.which("openssl") is None:
        raise SystemExit("The demo needs the command openssl, which makes its certificate.")
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
    """Listens on a port of this machine; `behind` says which local port answers for which host."""

    daemon_threads = True

    def __init__(self, certificate: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Request)
        self.behind: dict[str, int] = {}
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate)

    def get_request(self) -> tuple[Any, Any]:
        """Take a connection in; the thread that serves it shakes hands, so that nobody holds up the others."""
        connection, address = super().get_request()
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: browsers hang up as they like."""

    def url(self, host: str) -> str:
        """The address of a host."""
        return f"https://{host}:{self.server_port}"


@contextmanager
def fronting(certificate: Path, port: int = 0) -> Iterator[Front]:
    """A front that serves as long as the block runs."""
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
        """Pass a request on to the server behind its host, and the answer back."""
        front = cast(Front, self.server)
        port = front.behind.get(self.headers.get("Host", "").partition(":")[0])
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if port is None:
            self.send_error(404)
            return
        connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(self.command, self.path, body or None, self._headers())
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _OF_ONE_CONNECTION:
                self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name is http.server's

    def _headers(self) -> Mapping[str, str]:
        sent = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
        return {
            **sent,
            "X-Forwarded-For": self.client_address[0],
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": self.headers["Host"],
        }

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: paths hold tokens."""
