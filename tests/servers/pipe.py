"""A named pipe in place of the program that collects a log."""

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class Pipe:
    """A pipe of limited size. After `fill`, writers wait until it is read."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._came = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._end)

    def fill(self) -> None:
        """Fill the pipe."""
        for size in (4096, 1):
            with suppress(BlockingIOError):
                while True:
                    os.write(self._end, b"\n" * size)

    def read(self) -> list[str]:
        """Return all lines that were written."""
        with suppress(BlockingIOError):
            while True:
                self._came += os.read(self._end, 65536).decode()
        return [line for line in self._came.split("\n") if line]
