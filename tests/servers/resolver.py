"""A resolver that leads names where a test wants, or hangs: stands before the system's own."""

import socket
from collections.abc import Mapping, Sequence
from threading import Event, Lock
from typing import Any


class Resolver:
    """In place of `socket.getaddrinfo`, for the names that it was told; all others are the system's.

    A name leads to addresses or to an error. While `answers` is cleared, whoever asks for one of them waits.
    """

    def __init__(self) -> None:
        self._asked = socket.getaddrinfo
        self._lock = Lock()
        self.leads: Mapping[str, Sequence[str] | OSError] = {}
        self.answers = Event()
        self.answers.set()
        self.questions = 0
        """How often any of the names was asked for."""

    def __call__(self, host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host not in self.leads:
            return self._asked(host, port, *arguments, **options)
        with self._lock:
            self.questions += 1
        self.answers.wait(25)  # as long as the slowest of systems
        found = self.leads[host]
        if isinstance(found, OSError):
            raise found
        return [entry for address in found for entry in self._asked(address, port, *arguments, **options)]
