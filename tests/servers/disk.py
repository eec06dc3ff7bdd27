"""A small disk that a test can fill, close to writers, or free."""

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.system_packages import is_root


class Disk:
    """A tmpfs in a folder, which needs root. `with` mounts it, and unmounts it at the end."""

    def __init__(self, path: Path, mebibytes: int) -> None:
        self.path = path
        self._mebibytes = mebibytes
        self._filler = path / "filler"

    def __enter__(self) -> Self:
        if not is_root():
            pytest.skip("a disk of the test's own: only root may mount one")
        self.path.mkdir()
        options = f"size={self._mebibytes}m,mode=0755"
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "portal-tests", self.path], check=False)
        if mounted.returncode != 0:
            pytest.skip("a disk of the test's own: it could not be mounted here")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Open files may remain on it; it is detached now, and freed when the last one is closed.
        subprocess.run(["umount", "--lazy", self.path], check=True)

    def fill(self, *, leave: int = 0) -> None:
        """Leave this many bytes free."""
        with self._filler.open("ab", buffering=0) as file:
            while room := self._room() - leave:
                if room < 0:
                    file.truncate(max(file.tell() + room, 0))
                    file.seek(0, os.SEEK_END)
                    return
                file.write(b"\0" * min(room, 1 << 20))

    def empty(self) -> None:
        """Free all space that the test has filled."""
        self._filler.unlink()

    def close_to_writers(self) -> None:
        """Make it read-only; no process may have a file open for writing."""
        subprocess.run(["mount", "-o", "remount,ro", self.path], check=True)

    def open_to_writers(self) -> None:
        subprocess.run(["mount", "-o", "remount,rw", self.path], check=True)

    def _room(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize
