"""Logs: JSON for machines, one line an event whatever it holds; text for people, a traceback over its own lines.

A record may carry its facts as `fields` besides its message: a request's in the logger `portal.access`, an event's in
`portal.events`. JSON shows them under their own names, and metrics count them (portal/metrics.py).
"""

import json
import logging
import sys
from datetime import UTC, datetime

from portal.config import Settings


class JsonFormatter(logging.Formatter):
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


class TextFormatter(logging.Formatter):
    """A line for a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line, with what would break it or colour it escaped."""
        line = super().formatMessage(record)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def configure_logging(settings: Settings) -> None:
    """Send what the portal has to say to stderr, as LOG_FORMAT wants it: by default text on a terminal, else JSON."""
    style = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    handler = logging.StreamHandler()
    handler.setFormatter(TextFormatter() if style == "text" else JsonFormatter())
    logger = logging.getLogger("portal")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
