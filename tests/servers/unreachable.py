"""Addresses that neither accept nor refuse a connection, like those of a machine that is off."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest


@contextmanager
def dead_addresses(count: int, port: int = 0) -> Iterator[tuple[Sequence[str], int]]:
    """Addresses on loopback, and a port at which no connection is accepted: their queues are full."""
    addresses = [f"127.0.0.{number}" for number in range(100, 100 + count)]
    with ExitStack() as stack:
        for address in addresses:
            listener = stack.enter_context(socket.socket())
            try:
                listener.bind((address, port))
            except OSError:
                pytest.skip(f"{address}: this machine has one address on loopback, or the port is taken there")
            port = listener.getsockname()[1]
            listener.listen(0)
            for _ in range(2):
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex((address, port))
        yield addresses, port
