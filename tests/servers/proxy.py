"""A TCP proxy between the portal and a server that can lose a response."""

import socket
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards everything; after `lose_answer_to` forwards the first request that contains these bytes, then closes."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._fatal: bytes | None = None
        self.lost = 0
        """The number of lost responses."""
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in (self._listener, *self._open):
            _end(connection)

    def lose_answer_to(self, fatal: bytes) -> None:
        """Forward the next request with these bytes to the server, and lose its response."""
        self._fatal = fatal

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                Thread(target=self._carry_requests, args=(client, server), daemon=True).start()
                Thread(target=self._carry_answers, args=(server, client), daemon=True).start()

    def _carry_requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self._fatal is not None and self._fatal in data:
                    self._fatal = None
                    self.lost += 1
                    client.shutdown(socket.SHUT_RDWR)  # before the server can respond
                    server.sendall(data)
                    server.shutdown(socket.SHUT_WR)
                    return
                server.sendall(data)
        _end(server)

    def _carry_answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        _end(client)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
