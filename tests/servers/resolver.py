"""A resolver that leads names where a test wants: stands before the system's own."""

import socket
import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any


class Resolver:
    """In place of `socket.getaddrinfo`, for the names that it was told; all others are the system's.

    A name leads to addresses or to an error, after `seconds`.
    """

    def __init__(self) -> None:
        self._asked = socket.getaddrinfo
        self._lock = Lock()
        self.leads: Mapping[str, Sequence[str] | OSError] = {}
        self.seconds = 0.0
        self.questions = 0
        """How often any of the names was asked for."""

    def __call__(self, host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host not in self.leads:
            return self._asked(host, port, *arguments, **options)
        with self._lock:
            self.questions += 1
        time.sleep(self.seconds)
        found = self.leads[host]
        if isinstance(found, OSError):
            raise found
        return [entry for address in found for entry in self._asked(address, port, *arguments, **options)]
