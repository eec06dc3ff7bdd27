"""One client's connection: its time limits, answers to what cannot be read, and a close that loses no answer."""

import json
import logging
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

from portal.api.errors import RETRY_SECONDS, platform_error
from portal.domain.messages import N_
from portal.i18n import Languages
from portal.security_headers import SECURITY_HEADERS
from portal.server.parser import StrictParser

_log = logging.getLogger("portal.serve")

REQUEST_SECONDS = 15.0
"""From the first byte of a request to its last; also how long a client may take no byte of its answer."""
KEEPALIVE_SECONDS = 75.0
"""How long a connection may be idle: longer than browsers and proxies keep theirs, so that it is they who close it."""
_WORDS = {
    431: N_(
        "Your browser sent more than we can read. Delete the cookies that it keeps for this site, then open the page"
        " again."
    ),
    503: N_("Too much is going on right now. Wait a few seconds and try again."),
}
_UNREADABLE = N_(
    "Your browser sent something that we could not read. Nothing was changed: go back, reload and try again."
)
LEAVE_SECONDS = 2.0
"""How long a client may take to close after its last answer, and an idle one to ask while the server ends."""


@cache
def _languages() -> Languages:
    return Languages()


def _page(code: int) -> str:
    """Return a page that says in each language what to do: which one is wanted was not read."""
    words = _WORDS.get(code, _UNREADABLE)
    told = ((language.tag, escape(language.translations.ugettext(words))) for language in _languages())
    paragraphs = "".join(f'<p lang="{tag}">{text}</p>' for tag, text in told)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{code}</title>{paragraphs}</html>\n'


class PlainErrorTask(ErrorTask):
    """Answers a request that the application never sees: with a page, and with JSON under /api/; it quotes nothing."""

    request: Any

    def execute(self) -> None:
        """Write the answer, the last one of its connection."""
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
    """A connection; a thread is spent on it only while one of its requests is answered."""

    parser_class = StrictParser
    error_task_class = PlainErrorTask
    server: Any
    socket: Any
    is_leaving = False
    """Its last answer was sent."""
    is_held = False
    """Its next request waits until the client has read the answer before it, which else would hold a thread."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.since = monotonic()
        super().__init__(*arguments, **options)

    @property
    def is_served(self) -> bool:
        """Whether a thread answers it, or will."""
        return bool(self.requests) and not self.is_held

    @property
    def is_idle(self) -> bool:
        """Whether it has not begun a request."""
        return self.request is None and not self.requests and not self.total_outbufs_len and not self.is_leaving

    def is_overdue(self, now: float) -> bool:
        """Whether its time is up."""
        waits = LEAVE_SECONDS if self.is_leaving else self.server.idle_seconds if self.is_idle else REQUEST_SECONDS
        return not self.is_served and now >= self.since + waits

    def readable(self) -> bool:
        """Whether to read more; called in each turn of the loop."""
        if self.is_held and not self.total_outbufs_len:
            self.is_held = False
            self.server.add_task(self)
        return super().readable()

    def received(self, data: bytes) -> bool:
        """Take in a part of a request."""
        if self.request is None:
            self.since = monotonic()
        return not self.is_leaving and super().received(data)

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what the client takes."""
        sent = super().send(data, do_close)
        if sent:
            self.since = monotonic()
        return sent

    def handle_close(self) -> None:
        """Close, after a last answer when the client has: what is left unread could cost it that (RFC 9112, 9.6)."""
        if self.will_close and self.connected and not self.is_leaving:
            self.will_close, self.is_leaving, self.since = False, True, monotonic()
            with suppress(OSError):  # it has gone
                self.socket.shutdown(socket.SHUT_WR)
                return
        super().handle_close()

    def handle_error(self) -> None:
        """Tell of a fault; what waitress would log quotes its words."""
        _log.exception("a connection failed")
        self.is_leaving = True
        self.handle_close()

    def handle_expt(self) -> None:
        """Close it for urgent data, which HTTP has not: the loop would turn for as long as it is not read."""
        self.is_leaving = True
        self.handle_close()

    def give_up(self, code: int) -> None:
        """Close it at once, with an error to half a request; an idle one whose next request has just come stays."""
        if self.is_idle:
            with suppress(OSError):
                if self.socket.recv(1, socket.MSG_PEEK):
                    return
        elif self.request is not None and not self.total_outbufs_len and not self.is_leaving:
            self.request.error = Error("")
            self.request.error.code = code
            with suppress(ClientDisconnected):
                self.error_task_class(self, cast(Any, self.request)).service()
        self.is_leaving = True
        self.handle_close()
