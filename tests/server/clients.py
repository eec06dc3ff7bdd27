"""Clients that open connections and send given bytes."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.cli.process import Served


@contextmanager
def connected(served: Served, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open a number of connections, and send these bytes on each."""
    with ExitStack() as stack:
        connections = []
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=30))
            connection.sendall(sent)
            connections.append(connection)
        yield connections
