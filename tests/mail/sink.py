"""A real SMTP server on 127.0.0.1 that stores the emails that it receives, and fails as a test scripts it."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Self

from tests.mail.smtp_connection import CERTIFICATE, Act, ReceivedMail, SmtpConnection, Stage, end

__all__ = ["Act", "ReceivedMail", "Sink", "Stage"]

_WAIT_SECONDS = 60


class Sink:
    """The server.

    `script[Stage.RCPT] = "450 later"`, or an Act, applies until changed; `refused` is by recipient. `messages` has the
    accepted emails, `unanswered` those that were received completely and not accepted.
    """

    def __init__(self, *, tls: bool = False, starttls: bool = False, auth: bool = False) -> None:
        self.tls, self.starttls, self.auth = tls, starttls, auth
        self.host = "localhost" if tls or starttls else "127.0.0.1"
        self.port = 0
        self.certificate = str(CERTIFICATE)
        self.script: dict[Stage, str | Act] = {}
        self.refused: dict[str, str] = {}
        self.drip_seconds = 0.01
        self.handshake_seconds = 0.0
        self.close_at = 1
        self.messages: list[ReceivedMail] = []
        self.unanswered: list[ReceivedMail] = []
        self.commands: list[str] = []
        self.logins: list[str] = []
        self.connections = 0
        self.stopped = Event()
        self._released = Event()
        self._changed = Condition()
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._threads: list[Thread] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after a stop at the same port again."""
        self.stopped.clear()
        self._released.clear()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._spawn(self._accept, listener)

    def stop(self) -> None:
        """Close every connection and refuse new ones."""
        self.stopped.set()
        self._released.set()
        if self._listener is not None:
            end(self._listener)
            self._listener = None
        for connection in list(self._open):
            end(connection)
        for thread in self._threads:
            thread.join(_WAIT_SECONDS)
        self._threads.clear()

    def release(self) -> None:
        """Continue the connections that Act.SILENT holds."""
        self._released.set()

    def wait_for(self, count: int, timeout: float = _WAIT_SECONDS) -> list[ReceivedMail]:
        """Wait for a number of emails and return them; raises AssertionError if they do not arrive."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.messages) >= count, timeout)
        assert arrived, f"{len(self.messages)} mails came, not {count}"
        return self.messages

    def wait_for_command(self, verb: str, timeout: float = _WAIT_SECONDS) -> None:
        """Wait until a command was received; "." is the end of an email."""
        with self._changed:
            assert self._changed.wait_for(lambda: verb in self.commands, timeout), f"no {verb} came"

    def note(self, verb: str) -> None:
        """Record a command."""
        with self._changed:
            self.commands.append(verb)
            self._changed.notify_all()

    def keep(self, mail: ReceivedMail, *, accepted: bool) -> None:
        """Record an email."""
        with self._changed:
            (self.messages if accepted else self.unanswered).append(mail)
            self._changed.notify_all()

    def wait_until_released(self) -> None:
        """Block until `release` or `stop`."""
        self._released.wait(_WAIT_SECONDS)

    def _spawn(self, target: Callable[[socket.socket], None], connection: socket.socket) -> None:
        thread = Thread(target=target, args=(connection,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return  # stopped
            self.connections += 1
            self._open.add(connection)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        conversation = SmtpConnection(self, connection)
        # The client has closed the connection, or the script ends it.
        with suppress(OSError, EOFError):
            conversation.run()
        conversation.close()
        self._open.discard(connection)
