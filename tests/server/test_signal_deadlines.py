"""The deadline of the shutdown after one signal, and after more."""

import os
import signal
import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from portal.server import lifecycle
from portal.server.listener import Listener


@pytest.fixture
def deadlines() -> Iterator[list[float]]:
    signals = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in signals]
    listening = socket.create_server(("127.0.0.1", 0))
    listener = Listener(lambda _environ, _start: [], listening, {}, form_threads=1, waiting_forms=1)
    try:
        yield lifecycle._set_deadlines_by_signals(listener)
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
        listener.stop_threads()
        listener.close()


def test_signals_of_a_terminal_and_of_make_at_once_count_as_one(deadlines: list[float]) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    assert len(deadlines) == 1
    assert deadlines[0] == pytest.approx(monotonic() + lifecycle.GRACEFUL_SECONDS, abs=5)


def test_a_second_signal_later_shortens_the_time(deadlines: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    later = monotonic() + 1.5
    monkeypatch.setattr(lifecycle, "monotonic", lambda: later)
    os.kill(os.getpid(), signal.SIGTERM)
    assert min(deadlines) == later + lifecycle.SECOND_SIGNAL_SECONDS
