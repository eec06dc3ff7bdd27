"""Logs: JSON for machines, one line an event whatever it holds; text for people, a traceback over its own lines.

A record may carry its facts as `fields` besides its message: a request's in the logger `portal.access`, an event's in
`portal.events`. JSON shows them under their own names, and metrics count them (portal/metrics.py).

Nobody waits for whoever reads the log: a thread writes, and what it cannot write is dropped, counted and told.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from portal.settings import Settings

WAITING_LINES = 2000
"""How many lines wait while nobody takes them: some seconds of a busy portal."""
LAST_SECONDS = 2.0
"""How long a process that ends waits for its last lines to be taken."""
_STDERR = 2


class _Formatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        """Where an exception was raised, and the classes of it and of what led to it, the first one first.

        Not its words: a driver quotes the row that it refuses, others what somebody typed.
        """
        parts: list[str] = []
        met: set[int] = set()
        error: BaseException | None = ei[1]
        while error is not None and id(error) not in met:
            met.add(id(error))
            frames = "".join(traceback.format_tb(error.__traceback__))
            parts.append(f"{frames}{type(error).__module__}.{type(error).__qualname__}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(reversed(parts))


class JsonFormatter(_Formatter):
    """One JSON object a line; control characters in a message arrive escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, its traceback inside."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class TextFormatter(_Formatter):
    """A line for a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line, with what would break it or colour it escaped."""
        line = super().formatMessage(record)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class PatientHandler(logging.Handler):
    """Writes to a file descriptor without making anybody wait: a pipe may be full, a collector dead, a disk full.

    Lines are written at once where that can be done, in the order in which they came, and the last ones before the
    process ends. A line for which there is no room any more, or that cannot be written, is dropped; another one says
    how many there were as soon as writing works again. Each process has a thread of its own, a forked one too.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._writer: _Writer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one line over to the thread; one that cannot be put into words is lost, and counted like the others.

        Logging's own way out, handleError, would write to stderr past the thread: what it quotes is in clear.
        """
        # A fork leaves all threads but one behind; what its parent has yet to write, its parent will write.
        if self._writer is None or self._writer.has_ended():
            self._writer = _Writer(self._descriptor, self._loss)
        try:
            self._writer.put(self._line(record))
        except Exception:  # noqa: BLE001 - as in logging's own handlers: to log never raises
            self._writer.lose()
        with suppress(RuntimeError):  # no thread can be begun for now; the next line tries again
            self._writer.begin()

    def flush(self) -> None:
        """Return when all that came before is written or lost, or after LAST_SECONDS; logging does so at the end."""
        if self._writer is not None and self._writer.is_alive():
            self._writer.wait(LAST_SECONDS)

    def _line(self, record: logging.LogRecord) -> bytes:
        return (self.format(record) + "\n").encode("utf-8", "backslashreplace")

    def _loss(self, count: int) -> bytes:
        entry = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "args": (count,)}
        return self._line(logging.makeLogRecord({**entry, "msg": "%d lines of the log could not be written"}))


class _Writer(Thread):
    def __init__(self, descriptor: int, loss: Callable[[int], bytes]) -> None:
        super().__init__(name="log", daemon=True)
        self._descriptor = descriptor
        self._loss = loss
        self._waiting: SimpleQueue[bytes | Event] = SimpleQueue()
        self._dropped = 0
        self._is_torn = False

    def put(self, line: bytes) -> None:
        """Take one line; under the handler's lock."""
        if self._waiting.qsize() < WAITING_LINES:
            self._waiting.put(line)
        else:
            self.lose()

    def lose(self) -> None:
        """Count one line that nobody will see; under the handler's lock."""
        self._dropped += 1

    def begin(self) -> None:
        """Begin to write, if it has not begun; RuntimeError when the system has no thread to give."""
        if self.ident is None:
            self.start()

    def has_ended(self) -> bool:
        """Whether it wrote once and does no more: in a forked process."""
        return self.ident is not None and not self.is_alive()

    def wait(self, seconds: float) -> None:
        """Return when all that came before is written or lost, or after some seconds."""
        reached = Event()
        self._waiting.put(reached)
        reached.wait(seconds)

    def run(self) -> None:
        """Write what comes, as long as the process lives."""
        failed = told = 0
        can_write = False
        while True:
            item = self._waiting.get()
            if isinstance(item, bytes):
                can_write = self._write(item)
                failed += not can_write
            lost = self._dropped + failed - told
            # Not once for each line, where somebody reads slowly.
            if lost and can_write and self._waiting.empty() and self._write(self._loss(lost)):
                told += lost
            if isinstance(item, Event):
                item.set()

    def _write(self, line: bytes) -> bool:
        """Whether a line could be written whole; the next one does not begin in the middle of one that was not."""
        whole = rest = b"\n" + line if self._is_torn else line
        try:
            # Not through sys.stderr: at the end Python waits for its lock, which a blocked thread would hold.
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            if len(rest) < len(whole):
                self._is_torn = len(rest) < len(line)
            return False
        self._is_torn = False
        return True


def configure_logging(settings: Settings) -> None:
    """Send what the portal has to say to stderr, as LOG_FORMAT wants it: by default text on a terminal, else JSON."""
    style = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    handler = PatientHandler(_STDERR)
    handler.setFormatter(TextFormatter() if style == "text" else JsonFormatter())
    logger = logging.getLogger("portal")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logging.lastResort = handler  # of what libraries complain: to write it past the handler could block, too
