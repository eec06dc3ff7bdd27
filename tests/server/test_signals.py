"""Signals that ask the server to stop."""

import signal
import socket
import sys
from collections.abc import Iterator
from types import FrameType

import pytest

from portal.server import lifecycle
from portal.server.listener import Listener

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@pytest.fixture
def listener() -> Iterator[Listener]:
    before = [signal.getsignal(number) for number in _SIGNALS]
    listening = socket.create_server(("127.0.0.1", 0))
    listener = Listener(lambda _environ, _start: [], listening, {}, form_threads=1, waiting_forms=1)
    try:
        yield listener
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
        listener.stop_threads()
        listener.close()


def test_a_signal_while_another_is_handled_blocks_nothing(listener: Listener) -> None:
    """Handlers run in the main thread, one inside the other, so they must take no lock that is not reentrant."""

    def signal_again(_frame: FrameType, _event: str, _argument: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    def time_out(*_arguments: object) -> None:
        raise TimeoutError

    received = lifecycle._list_signals(listener)
    signal.signal(signal.SIGALRM, time_out)
    signal.alarm(5)
    before = sys.gettrace()
    sys.settrace(signal_again)
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        sys.settrace(before)
        signal.alarm(0)
    assert {signal.SIGINT, signal.SIGTERM} <= set(received)
