"""A client's connection: timeouts, responses to invalid requests, and a close that loses no response."""

import logging
import re
import secrets
import socket
from contextlib import suppress
from http import HTTPStatus
from time import monotonic
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask
from werkzeug.exceptions import ServiceUnavailable

from portal.access_log import log_request
from portal.api.errors import RETRY_SECONDS, plain_json
from portal.security_headers import SECURITY_HEADERS
from portal.server.parser import StrictParser
from portal.web.errors import plain_page

_log = logging.getLogger("portal.serve")

REQUEST_SECONDS = 15.0
"""Timeout from the first byte of a request to its last, and for a client to close after its last response."""
KEEPALIVE_SECONDS = 75.0
"""Timeout to read a response, and of an idle connection: longer than that of browsers and proxies, which close it."""
WAIT_SECONDS = 10.0
"""How long a form may wait for a thread: longer than the listener's limit means, unless the database is slow."""
CLOSE_SECONDS = 2.0
"""Timeout during shutdown for the request of an idle client, and for a client to close after its last response."""
GRACE_SECONDS = 0.5
"""Timeout when the listener is full: no new or active connection is closed, since a request may be on its way."""
_PAGE = re.compile(rb"\s*[A-Z]+ /(?!api[/? ])")


class Task(WSGITask):
    """Handles a request; during shutdown, its response is the last one of the connection."""

    channel: Any
    request: Any

    def build_response_header(self) -> bytes:
        """Return the head of the response."""
        self.channel.since = monotonic()
        if self.channel.server.is_ending:
            self.request.headers["CONNECTION"] = "close"
        return super().build_response_header()


class PlainErrorTask(ErrorTask):
    """Responds to a request that the server itself refuses: with a page, or JSON under /api/, without quoting it."""

    request: Any

    def execute(self) -> None:
        """Write the response, the last one of the connection."""
        code = self.request.error.code
        if _PAGE.match(self.request.header_plus):
            kind, body = "text/html; charset=utf-8", plain_page(code).encode()
        else:
            kind, body = "application/json", plain_json(code).encode()
        self.version = "1.1"  # waitress has 1.0 for a request that it could not parse
        self.status, self.content_length = f"{code} {HTTPStatus(code).phrase}", len(body)
        self.response_headers = [*SECURITY_HEADERS.items(), ("Content-Type", kind)]
        if code == 503:
            self.response_headers.append(("Retry-After", str(RETRY_SECONDS)))
        self.set_close_on_finish()
        self.write(b"" if self.request.header_plus.startswith(b"HEAD ") else body)


class Connection(HTTPChannel):
    """A connection, which occupies a thread only while a request of it is handled."""

    parser_class = StrictParser
    task_class = Task
    error_task_class = PlainErrorTask
    server: Any
    socket: Any
    request: Any
    requests: list[Any]
    is_closing = False
    """Whether its last response was sent."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.since = monotonic()
        """When it was opened, a request began or was complete, or a response or the close began: the last of these."""
        super().__init__(*arguments, **options)

    @property
    def is_form(self) -> bool:
        """Whether its next request is a form or an API call that changes something."""
        return self.requests[0].error is None and self.requests[0].command == "POST"

    def received(self, data: bytes) -> bool:
        """Parse the next part of a request."""
        if self.request is None and not self.is_closing:
            self.since = monotonic()
        return not self.is_closing and super().received(data)

    def service(self) -> None:
        """Handle the next request in a thread; refuse a form that has waited for too long."""
        if self.is_form and monotonic() > self.since + WAIT_SECONDS:
            self.refuse_form()
        super().service()

    def refuse_form(self) -> None:
        """Let the response to the next request be 503, without doing anything for it."""
        log_request("POST", "-", 503, monotonic() - self.since, secrets.token_hex(8))
        self.requests[0].error = ServiceUnavailable()

    def handle_close(self) -> None:
        """Close the connection; after a last response, only when the client has, so that it gets it (RFC 9112, 9.6)."""
        if self.will_close and self.connected and not self.is_closing:
            self.will_close, self.is_closing, self.since = False, True, monotonic()
            with suppress(OSError):  # the client has disconnected
                self.socket.shutdown(socket.SHUT_WR)
                return
        super().handle_close()

    def close_if_overdue(self) -> None:
        """Close after the timeout; keep an idle connection whose next request has just arrived."""
        is_idle = self.request is None and not self.total_outbufs_len and not self.is_closing
        if self.server.is_full:
            seconds = GRACE_SECONDS
        elif self.server.is_ending and (is_idle or self.is_closing):
            seconds = CLOSE_SECONDS
        else:
            seconds = REQUEST_SECONDS if self.request is not None or self.is_closing else KEEPALIVE_SECONDS
        if self.requests or monotonic() < self.since + seconds:
            return
        with suppress(OSError):  # nothing has arrived
            if is_idle and self.socket.recv(1, socket.MSG_PEEK):
                return
        self.is_closing = True
        self.handle_close()

    def handle_error(self) -> None:
        """Log an exception and close; waitress would log its message, too."""
        _log.exception("a connection failed")
        self.handle_close()

    def handle_expt(self) -> None:
        """Close a connection with urgent data, which HTTP does not use and which would keep the loop busy."""
        self.handle_close()
