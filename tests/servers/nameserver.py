"""A name server on loopback, and processes that use only it: in a mount namespace of their own, as root."""

import os
import random
import shutil
import socket
import subprocess
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

import pytest

_A_QUESTION_FOR_AN_ADDRESS = b"\x00\x01\x00\x01"
_HEAD = 12


class NameServer:
    """Resolves every name under example.com to 127.0.0.1, except `unknown` and `silent` ones."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            pytest.skip("a namespace with a name server of its own: only root may make it, by util-linux' unshare")
        self.unknown: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[str] = []
        """The names whose IPv4 address was asked for, each time."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._address = f"127.{random.randrange(1, 255)}.{random.randrange(255)}.53"  # noqa: S311 - unlikely to be in use
        self._settings = folder / "resolv.conf"
        self._thread = Thread(target=self._answer, daemon=True)

    def __enter__(self) -> Self:
        self._socket.bind((self._address, 53))
        self._settings.write_text(f"nameserver {self._address}\noptions timeout:30 attempts:5\n")
        self._thread.start()
        found = subprocess.run([*self.program, "getent", "hosts", "a.example.com"], capture_output=True, check=False)
        if not found.stdout.startswith(b"127.0.0.1 "):
            self._stop()
            pytest.skip("a namespace with a name server of its own: this machine has none, or does not ask it")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def program(self) -> tuple[str, ...]:
        """Return a prefix for a command, which makes it use this server."""
        return "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(self._settings)

    def _stop(self) -> None:
        self._socket.sendto(b"", (self._address, 53))  # to close it would not wake the thread
        self._thread.join()
        self._socket.close()

    def _answer(self) -> None:
        while True:
            question, asker = self._socket.recvfrom(512)
            if not question:
                return
            name, end = _name(question)
            wanted = question[end : end + 4]
            if wanted == _A_QUESTION_FOR_AN_ADDRESS:
                self.asked.append(name)
            if name in self.silent:
                continue
            known = name not in self.unknown
            told = known and wanted == _A_QUESTION_FOR_AN_ADDRESS
            flags = b"\x81\x80" if known else b"\x81\x83"
            answer = b"\xc0\x0c" + wanted + bytes(4) + b"\x00\x04" + socket.inet_aton("127.0.0.1") if told else b""
            counts = bytes([0, 1, 0, int(told), 0, 0, 0, 0])
            self._socket.sendto(question[:2] + flags + counts + question[_HEAD : end + 4] + answer, asker)


def _name(question: bytes) -> tuple[str, int]:
    """Return the name in a query, and where it ends."""
    labels, at = [], _HEAD
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), at + 1
