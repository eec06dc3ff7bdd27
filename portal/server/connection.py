"""A client's connection: time limits, responses to invalid requests, and a close that loses no response."""

import json
import logging
import secrets
import socket
from contextlib import suppress
from functools import cache
from html import escape
from http import HTTPStatus
from time import monotonic
from typing import Any, cast

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import ErrorTask
from waitress.utilities import Error

from portal.access_log import log_request
from portal.api.errors import RETRY_SECONDS, platform_error
from portal.domain.messages import N_
from portal.i18n import Languages
from portal.security_headers import SECURITY_HEADERS
from portal.server.parser import StrictParser

_log = logging.getLogger("portal.serve")

REQUEST_SECONDS = 15.0
"""Timeout from the first byte of a request to its last, and for a client that reads no byte of its response."""
KEEPALIVE_SECONDS = 75.0
"""Timeout of an idle connection; longer than that of browsers and proxies, so that they close it."""
_MESSAGES = {
    431: N_(
        "Your browser sent more than we can read. Delete the cookies that it keeps for this site, then open the page"
        " again."
    ),
    503: N_("Too much is going on right now. Wait a few seconds and try again."),
}
_UNREADABLE = N_(
    "Your browser sent something that we could not read. Nothing was changed: go back, reload and try again."
)
WAIT_SECONDS = 10.0
"""How long a form may wait for a thread: longer than the listener's bound means, unless the database is slow."""
CLOSE_SECONDS = 2.0
"""Timeout for a client to close after its last response; during shutdown, also for the request of an idle client."""


@cache
def _languages() -> Languages:
    return Languages()


def _page(code: int) -> str:
    """Return an error page with the message in every language, since the request's language is not known."""
    message = _MESSAGES.get(code, _UNREADABLE)
    texts = ((language.tag, escape(language.translations.ugettext(message))) for language in _languages())
    paragraphs = "".join(f'<p lang="{tag}">{text}</p>' for tag, text in texts)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{code}</title>{paragraphs}</html>\n'


def _error(code: int) -> Error:
    error = Error("")
    error.code = code
    return error


class PlainErrorTask(ErrorTask):
    """Responds to a request that the server itself refuses: with a page, or JSON under /api/, without quoting it."""

    request: Any

    def execute(self) -> None:
        """Write the response, the last one of the connection."""
        code = self.request.error.code
        error = platform_error(code, reference="none", retry_after=RETRY_SECONDS if code == 503 else None)
        if self.request.is_for_page:
            kind, body = "text/html; charset=utf-8", _page(code).encode()
        else:
            kind, body = "application/json", json.dumps(error.content()).encode()
        headers = {**SECURITY_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
        self.status = f"{code} {HTTPStatus(code).phrase}"
        self.response_headers = list(headers.items())
        self.set_close_on_finish()
        self.write(body)


class Connection(HTTPChannel):
    """A connection, which occupies a thread only while a request of it is handled."""

    parser_class = StrictParser
    error_task_class = PlainErrorTask
    server: Any
    socket: Any
    is_closing = False
    """Whether its last response was sent."""
    is_held = False
    """Whether its next request waits until the client has read the previous response, so that it occupies no thread."""
    waiting_since = 0.0
    """When its next request began to wait for a thread."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.since = monotonic()
        super().__init__(*arguments, **options)

    @property
    def is_served(self) -> bool:
        """Whether a thread handles a request of it, or will."""
        return bool(self.requests) and not self.is_held

    @property
    def is_form(self) -> bool:
        """Whether its next request is a form or an API call that changes something."""
        request: Any = self.requests[0]
        return request.error is None and request.command == "POST"

    @property
    def is_idle(self) -> bool:
        """Whether the client has not begun a request."""
        return self.request is None and not self.requests and not self.total_outbufs_len and not self.is_closing

    def is_overdue(self, now: float) -> bool:
        """Return whether its timeout has passed."""
        timeout = CLOSE_SECONDS if self.is_closing else self.server.idle_seconds if self.is_idle else REQUEST_SECONDS
        return not self.is_served and now >= self.since + timeout

    def readable(self) -> bool:
        """Return whether to read more; called in each turn of the loop."""
        if self.is_held and not self.total_outbufs_len:
            self.is_held = False
            self.server.add_task(self)
        return super().readable()

    def received(self, data: bytes) -> bool:
        """Parse the next part of a request."""
        if self.request is None:
            self.since = monotonic()
        return not self.is_closing and super().received(data)

    def service(self) -> None:
        """Handle the next request in a thread; refuse a form that has waited for too long."""
        if self.is_form and monotonic() > self.waiting_since + WAIT_SECONDS:
            self.refuse()
        super().service()

    def refuse(self) -> None:
        """Let the response to the next request be 503, without doing anything for it."""
        log_request("POST", "-", 503, monotonic() - self.waiting_since, secrets.token_hex(8))
        self.requests[0].error = _error(503)

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send as much as the client reads, and restart the timeout."""
        sent = super().send(data, do_close)
        if sent:
            self.since = monotonic()
        return sent

    def handle_close(self) -> None:
        """Close the connection; after a last response, only when the client has, so that it gets it (RFC 9112, 9.6)."""
        if self.will_close and self.connected and not self.is_closing:
            self.will_close, self.is_closing, self.since = False, True, monotonic()
            with suppress(OSError):  # the client has disconnected
                self.socket.shutdown(socket.SHUT_WR)
                return
        super().handle_close()

    def handle_error(self) -> None:
        """Log an exception and close; waitress would log its message, too."""
        _log.exception("a connection failed")
        self.is_closing = True
        self.handle_close()

    def handle_expt(self) -> None:
        """Close a connection with urgent data, which HTTP does not use and which would keep the loop busy."""
        self.is_closing = True
        self.handle_close()

    def give_up(self, code: int) -> None:
        """Close now, with an error for a partial request; keep an idle connection whose next request has arrived."""
        if self.is_idle:
            with suppress(OSError):
                if self.socket.recv(1, socket.MSG_PEEK):
                    return
        elif self.request is not None and not self.total_outbufs_len and not self.is_closing:
            self.request.error = _error(code)
            with suppress(ClientDisconnected):
                self.error_task_class(self, cast(Any, self.request)).service()
        self.is_closing = True
        self.handle_close()
