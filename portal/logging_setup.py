"""Logging to stderr: JSON with one line for each record, or text for a terminal.

A record may have `fields` beside its message: those of a request in the logger `portal.access`, those of an event in
`portal.events`. JSON has them as members, and metrics count them (portal/metrics.py).

Logging never blocks a request: a thread writes the lines from a bounded queue. Lines that do not fit into it, or cannot
be written, are dropped and counted.
"""

import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from queue import Queue
from time import sleep
from typing import Any

from pythonjsonlogger.json import JsonFormatter as JsonLogFormatter

from portal.settings import Settings

QUEUE_SIZE = 2000
"""Lines that wait while the log cannot be written; a busy portal fills it in some seconds."""
PAUSE_SECONDS = 0.02
"""Pause when the queue is empty: to wake a waiting thread for each line costs the requests CPU time."""
FLUSH_SECONDS = 2.0
"""Timeout for writing the last lines when the process ends."""
_STDERR = 2


class _Formatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        """Format the stack and class of an exception, after those of the exceptions that caused it.

        The message is left out, since a database driver quotes the row that it rejects, and others what a customer
        typed.
        """
        parts: list[str] = []
        seen: set[int] = set()
        error: BaseException | None = ei[1]
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            frames = "".join(traceback.format_tb(error.__traceback__))
            parts.append(f"{frames}{type(error).__module__}.{type(error).__qualname__}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(reversed(parts))


class JsonFormatter(_Formatter, JsonLogFormatter):
    """Format a record as one line of JSON, with control characters escaped."""

    def __init__(self) -> None:
        # The library's own encoder writes the repr of any object.
        super().__init__(json_encoder=json.JSONEncoder, rename_fields={"exc_info": "traceback"})

    def add_fields(
        self, log_data: dict[str, object], record: logging.LogRecord, message_dict: dict[str, object]
    ) -> None:
        """Set the members of the line, without the attributes that libraries add to their records."""
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["message"] = record.message
        log_data.update(getattr(record, "fields", {}))
        log_data.update((self.rename_fields.get(name, name), value) for name, value in message_dict.items())


class TextFormatter(_Formatter):
    """Format a record as one line for a terminal, followed by its traceback."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Escape control characters, such as line breaks and colours."""
        line = super().formatMessage(record)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class NonBlockingHandler(QueueHandler):
    """Write to a file descriptor from a thread, so that a full pipe or disk blocks no caller.

    A line that does not fit into the queue, or cannot be written, is dropped. When writing works again, a line says how
    many were dropped.
    """

    queue: "Queue[bytes]"

    def __init__(self, descriptor: int, queue_size: int = QUEUE_SIZE) -> None:
        super().__init__(Queue(queue_size))
        self._descriptor = descriptor
        self.start()

    def start(self) -> None:
        """Start the thread with an empty queue; a fork has no thread, and the parent writes the queued lines."""
        self.queue = Queue(self.queue.maxsize)
        self.dropped = 0
        _Listener(self, self._descriptor).start()

    def prepare(self, record: logging.LogRecord) -> bytes:
        """Format a record as a line in UTF-8."""
        return (self.format(record) + "\n").encode("utf-8", "backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own name
        """Count a dropped record, instead of writing to stderr as logging does, which may block."""
        self.dropped += 1

    def flush(self) -> None:
        """Wait until all queued lines are written or dropped, for at most FLUSH_SECONDS; logging calls this at exit."""
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

    def dequeue(self, block: bool) -> logging.LogRecord:
        """Wait for the next line; the first one after a while is written at once."""
        if self.queue.empty():
            sleep(PAUSE_SECONDS)
        return super().dequeue(block)

    def handle(self, record: bytes) -> None:  # type: ignore[override] # the queue has formatted lines
        """Write one line, and the number of dropped lines once the queue is empty."""
        if not self._write(record):
            self._failed += 1
            return
        lost = self._handler.dropped + self._failed - self._reported
        if lost and self.queue.empty():
            entry = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "args": (lost,)}
            report = logging.makeLogRecord({**entry, "msg": "%d lines of the log were dropped"})
            if self._write(self._handler.prepare(report)):
                self._reported += lost

    def _write(self, line: bytes) -> bool:
        """Write a line and return whether all of it was written; after a partial one, the next starts a new line."""
        rest = b"\n" + line if self._is_torn else line
        try:
            # Not through sys.stderr: a blocked thread would hold its lock, which Python needs at exit.
            while rest:
                written = os.write(self._descriptor, rest)
                self._is_torn = rest[written - 1 : written] != b"\n"
                rest = rest[written:]
        except OSError:
            return False
        return True


def configure_logging(settings: Settings) -> None:
    """Send the portal's log to stderr in LOG_FORMAT; the default is text on a terminal and JSON elsewhere."""
    style = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    handler = NonBlockingHandler(_STDERR)
    handler.setFormatter(TextFormatter() if style == "text" else JsonFormatter())
    os.register_at_fork(after_in_child=handler.start)
    logger = logging.getLogger("portal")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logging.lastResort = handler  # for warnings of libraries; logging's own handler could block
