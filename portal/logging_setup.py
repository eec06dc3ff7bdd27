"""Logs: JSON for machines, one line an event whatever it holds; text for people, a traceback over its own lines.

A record may carry its facts as `fields` besides its message: a request's in the logger `portal.access`, an event's in
`portal.events`. JSON shows them under their own names, and metrics count them (portal/metrics.py).

Logging never blocks a request: a thread writes the lines from a bounded queue. Lines that do not fit, or cannot be
written, are dropped and counted.
"""

import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from queue import Queue
from typing import Any

from pythonjsonlogger.json import JsonFormatter as JsonLogFormatter

from portal.settings import Settings

QUEUE_SIZE = 2000
"""How many lines wait while the log cannot be written: some seconds of a busy portal."""
FLUSH_SECONDS = 2.0
"""How long a process that ends waits for its last lines to be written."""
_STDERR = 2


class _Formatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        """Return where an exception was raised, and its class, after the same of each exception that led to it.

        The message of an exception is left out: a database driver quotes the row that it rejects, others what a
        customer typed.
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


class JsonFormatter(_Formatter, JsonLogFormatter):
    """Format a record as one line of JSON; control characters arrive escaped."""

    def __init__(self) -> None:
        # The library's own encoder would write any object by its repr.
        super().__init__(json_encoder=json.JSONEncoder, rename_fields={"exc_info": "traceback"})

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Choose what the line holds: not the attributes that a library adds to its records, as the default would."""
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["message"] = record.message
        log_data.update(getattr(record, "fields", {}))
        log_data.update((self.rename_fields.get(name, name), value) for name, value in message_dict.items())


class TextFormatter(_Formatter):
    """Format a record as one line for a terminal, and its traceback below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Escape what would break the line or colour it."""
        line = super().formatMessage(record)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class NonBlockingHandler(QueueHandler):
    """Write to a file descriptor from a thread: a full pipe, a dead collector or a full disk blocks no caller.

    A line that does not fit into the queue, or cannot be written, is dropped. Another line says how many there were as
    soon as writing works again.
    """

    queue: "Queue[bytes]"

    def __init__(self, descriptor: int, queue_size: int = QUEUE_SIZE) -> None:
        super().__init__(Queue(queue_size))
        self._descriptor = descriptor
        self.start()

    def start(self) -> None:
        """Start the thread, with an empty queue: a fork copies no thread, and the parent writes what it has queued."""
        self.queue = Queue(self.queue.maxsize)
        self.dropped = 0
        _Listener(self, self._descriptor).start()

    def prepare(self, record: logging.LogRecord) -> bytes:
        """Return the line that a record becomes."""
        return (self.format(record) + "\n").encode("utf-8", "backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own name
        """Count a record that cannot be formatted, or finds the queue full; logging's own way blocks on stderr."""
        self.dropped += 1

    def flush(self) -> None:
        """Wait until all queued lines are written or dropped, for FLUSH_SECONDS at most; logging does so at exit."""
        with self.queue.all_tasks_done:
            self.queue.all_tasks_done.wait_for(lambda: not self.queue.unfinished_tasks, FLUSH_SECONDS)


class _Listener(QueueListener):
    queue: "Queue[bytes]"

    def __init__(self, handler: NonBlockingHandler, descriptor: int) -> None:
        super().__init__(handler.queue)
        self._handler = handler
        self._descriptor = descriptor
        self._failed = self._reported = 0
        self._is_torn = False

    def handle(self, record: Any) -> None:
        """Write one line, and how many were lost before it once nothing else waits."""
        if not self._write(record):
            self._failed += 1
            return
        lost = self._handler.dropped + self._failed - self._reported
        if lost and self.queue.empty():
            entry = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "args": (lost,)}
            report = logging.makeLogRecord({**entry, "msg": "%d lines of the log could not be written"})
            if self._write(self._handler.prepare(report)):
                self._reported += lost

    def _write(self, line: bytes) -> bool:
        """Return whether a line was written whole; the next one starts on a line of its own even if not."""
        rest = b"\n" + line if self._is_torn else line
        try:
            # Not through sys.stderr: a blocked thread would hold its lock, for which Python waits at exit.
            while rest:
                written = os.write(self._descriptor, rest)
                self._is_torn = rest[written - 1 : written] != b"\n"
                rest = rest[written:]
        except OSError:
            return False
        return True


def configure_logging(settings: Settings) -> None:
    """Send the portal's log to stderr in the style of LOG_FORMAT, by default text on a terminal and JSON elsewhere."""
    style = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    handler = NonBlockingHandler(_STDERR)
    handler.setFormatter(TextFormatter() if style == "text" else JsonFormatter())
    os.register_at_fork(after_in_child=handler.start)
    logger = logging.getLogger("portal")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logging.lastResort = handler  # warnings of libraries: logging's own handler could block
