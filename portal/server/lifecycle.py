"""From the start of the server to its end: signals, and the work that is finished before the process exits."""

import logging
import re
import signal
import socket
from time import monotonic
from typing import Any

from flask import Flask
from waitress import wasyncore

from portal.app import context_of, settings_of
from portal.mail.thread import MailThread
from portal.server.listener import Listener
from portal.server.open_files import room_for_connections
from portal.web.health import stop_being_ready

GRACEFUL_SECONDS = 30.0
"""How long running requests, and the mail that is being sent, may take after the first signal."""
HURRIED_SECONDS = 3.0
"""How long after another one; two within a second, as from a terminal and from `make`, are one."""


class _Signals:
    """When the server has to be at its end: SIGTERM, Ctrl-C and a closed terminal are one and the same wish."""

    deadline: float | None = None
    _first = 0.0

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._tell)

    def _tell(self, *_arguments: object) -> None:
        now = monotonic()
        if self.deadline is None:
            self._first, self.deadline = now, now + GRACEFUL_SECONDS
        elif now > self._first + 1:
            self.deadline = min(self.deadline, now + HURRIED_SECONDS)
        self._listener.pull_trigger()


def run(app: Flask, listening: socket.socket, scraped: socket.socket | None, *, threads: int) -> None:
    """Serve the app, and its metrics at `scraped`, until a signal; on SQLite deliver mail, too.

    Then connections are refused at once, and running requests and the mail in hand are finished.
    """
    _tame_log()
    sockets: dict[int, Any] = {}
    listener = Listener(app, listening, sockets, threads=threads, connections=room_for_connections(threads))
    listeners = [listener]
    if scraped:
        from portal.metrics import metrics_app  # only who wants metrics pays for them

        listeners.append(Listener(metrics_app(context_of(app)), scraped, sockets, threads=4, connections=20))
    signals = _Signals(listener)
    mail = MailThread(app) if settings_of(app).is_embedded else None
    if mail:
        mail.start()
    while signals.deadline is None:
        _turn(sockets, listeners, 1.0)
    stop_being_ready(app)
    if mail:
        mail.stop()
    listener.end()
    while (listener.connections or (mail and mail.is_alive())) and monotonic() < signals.deadline:
        _turn(sockets, listeners, 0.1)
    listener.task_dispatcher.shutdown(timeout=1)


def _turn(sockets: dict[int, Any], listeners: list[Listener], seconds: float) -> None:
    """Wait for news of any connection, no longer than this, and see to it."""
    wasyncore.loop(seconds, use_poll=True, map=sockets, count=1)
    for listener in listeners:
        listener.look_after_connections()


def _tame_log() -> None:
    """Have waitress say what it has to say in the portal's log."""
    log = logging.getLogger("waitress")
    log.handlers = logging.getLogger("portal").handlers
    log.setLevel(logging.WARNING)
    log.addFilter(_is_news)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that requests wait is no fault


def _is_news(record: logging.LogRecord) -> bool:
    """Cut the path of a request, which may hold a token; that a client has gone is no news."""
    record.msg, record.args = re.sub(r"(?s) serving .*", " serving a request", record.getMessage()), ()
    return record.msg != "Socket error"
