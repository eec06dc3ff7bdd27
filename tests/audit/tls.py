"""A TLS proxy in front of a portal that adds no headers."""

import socket
import ssl
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from types import TracebackType
from typing import Self, cast

from tests.mail.smtp_connection import CERTIFICATE


class TlsFront:
    """Listens on a port of localhost from the start, for a portal that starts later. Connections without TLS are
    closed, as on a host without a port for HTTP.
    """

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._thread = Thread(target=self._server.serve_forever)

    @property
    def host(self) -> str:
        """The host and port of the public address; the certificate has this name."""
        return f"localhost:{self._server.server_address[1]}"

    def lead_to(self, port: int) -> None:
        self._server.behind = port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingTCPServer):
    behind = 0

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type] # passed on as they are
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(CERTIFICATE)


class _Connection(BaseRequestHandler):
    def handle(self) -> None:
        server = cast(_Server, self.server)
        with (
            suppress(OSError),
            server.tls.wrap_socket(self.request, server_side=True) as outside,
            socket.create_connection(("127.0.0.1", server.behind)) as inside,
        ):
            answers = Thread(target=_copy, args=(inside, outside))
            answers.start()
            _copy(outside, inside)
            answers.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
