"""TLS in front of a server without it, with a certificate of an unknown authority."""

import socket
import ssl
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from types import TracebackType
from typing import Self

from tests.mail.smtp_connection import CERTIFICATE

_SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
"""The request of a PostgreSQL client for TLS; "S" is the response that grants it."""


class TlsFront:
    """Forwards decrypted data to a port, and the responses back; the certificate is self-signed, for "localhost"."""

    def __init__(self, port: int) -> None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(CERTIFICATE)

        class Connection(BaseRequestHandler):
            def handle(self) -> None:
                if self.request.recv(len(_SSL_REQUEST), socket.MSG_PEEK) == _SSL_REQUEST:
                    self.request.recv(len(_SSL_REQUEST))
                    self.request.sendall(b"S")
                with (
                    suppress(OSError),
                    tls.wrap_socket(self.request, server_side=True) as outside,
                    socket.create_connection(("127.0.0.1", port)) as inside,
                ):
                    answers = Thread(target=_carry, args=(inside, outside))
                    answers.start()
                    _carry(outside, inside)
                    answers.join()

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Connection)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
