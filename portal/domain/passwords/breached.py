"""Known breached passwords: looked up in a file that the operator brings, and nowhere else."""

import os
import re
from hashlib import sha1
from pathlib import Path
from typing import BinaryIO

_LINE = re.compile(rb"([0-9A-F]{40}):[0-9]+\r?\n?")
_LONGEST_LINE = 64
_SAMPLES = 1000
"""How many lines tell whether a file is sorted: reading 40 GB at each start would take minutes."""


class InvalidFile(ValueError):
    """The file is not what Have I Been Pwned offers; the message says what is wrong with it."""


class BreachedPasswords:
    """The file of Have I Been Pwned, ordered by hash: lines of an upper-case SHA-1 and a count.

    Without one, no password is known. It is opened for each look-up, so a newer file may be moved into its place at any
    time. Safe to share between threads.
    """

    def __init__(self, path: Path | None) -> None:
        """Raises OSError or InvalidFile for a file that cannot be used."""
        self._path = path
        if path:
            _check(path)

    def includes(self, password: str) -> bool:
        """Return whether a password is in the file. Raises OSError when the file has gone since the start."""
        if self._path is None:
            return False
        digest = sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper().encode()
        with self._path.open("rb", buffering=0) as file:
            low, high = 0, os.fstat(file.fileno()).st_size
            while low < high:
                begins, line = _line_at(file, (low + high) // 2)
                if line[:40] == digest:
                    return True
                if line[:40] < digest:
                    low = begins + len(line)
                else:
                    high = begins
        return False


def _line_at(file: BinaryIO, position: int) -> tuple[int, bytes]:
    """Return the line that a position lies in, and where it begins."""
    start = max(0, position - _LONGEST_LINE)
    chunk = os.pread(file.fileno(), 2 * _LONGEST_LINE, start)
    begins = chunk.rfind(b"\n", 0, position - start) + 1
    ends = chunk.find(b"\n", begins) + 1 or len(chunk)
    return start + begins, chunk[begins:ends]


def _check(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise InvalidFile("is empty")
        before = (0, b"")
        for number in range(_SAMPLES + 1):
            begins, line = _line_at(file, (size - 1) * number // _SAMPLES)
            if not _LINE.fullmatch(line):
                raise InvalidFile('has a line that is not "SHA1:count"')
            if begins != before[0] and line <= before[1]:
                raise InvalidFile("is not sorted by hash: download the version that is ordered by hash")
            before = (begins, line)
