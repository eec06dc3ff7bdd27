"""A resolver in front of the system's, for the names that a test chooses."""

import socket
import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any


class Resolver:
    """Replaces `socket.getaddrinfo` for some names; all others are resolved by the system. A name resolves to addresses
    or to an error, after `seconds`.
    """

    def __init__(self) -> None:
        self._asked = socket.getaddrinfo
        self._lock = Lock()
        self.leads: Mapping[str, Sequence[str] | OSError] = {}
        self.seconds = 0.0
        self.questions = 0
        """The number of lookups of these names."""

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
