"""Bodies that come in chunks (RFC 9112, 7.1): where one ends, found out without waiting for it.

Browsers do not send forms so, but servers send JSON so: .NET's HttpClient among others.
"""

import re
from enum import Enum

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_LONGEST_LINE = 256
_TRAILERS_END = b"\r\n\r\n"


class Arrival(Enum):
    """How much of a body has arrived."""

    PARTIAL = "partial"
    COMPLETE = "complete"
    NONSENSE = "nonsense"


class ChunkedBody:
    """Follows a body while it arrives. What was looked at once is not looked at again."""

    def __init__(self) -> None:
        self._next = 0

    def look(self, body: bytes | bytearray) -> Arrival:
        """Look at all that has arrived so far."""
        while self._next < len(body):
            line = _SIZE.match(body, self._next, self._next + _LONGEST_LINE)
            if line is None:
                is_cut = len(body) - self._next < _LONGEST_LINE and b"\n" not in body[self._next :]
                return Arrival.PARTIAL if is_cut else Arrival.NONSENSE
            size = int(line[1], 16)
            if size == 0:
                return self._end(body, line.end())
            if body[line.end() + size : line.end() + size + 2] not in (b"", b"\r", b"\r\n"):
                return Arrival.NONSENSE
            if line.end() + size + 2 > len(body):
                return Arrival.PARTIAL
            self._next = line.end() + size + 2
        return Arrival.PARTIAL

    @staticmethod
    def _end(body: bytes | bytearray, after: int) -> Arrival:
        """The empty line behind the last chunk, or behind what headers follow it."""
        return Arrival.COMPLETE if _TRAILERS_END in body[after - 2 :] else Arrival.PARTIAL
