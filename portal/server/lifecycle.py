"""Run the server until a signal, and finish requests and email before the process exits."""

import logging
import re
import signal
import socket
from time import monotonic

from flask import Flask
from waitress import wasyncore

from portal.app import context_of, settings_of
from portal.mail.thread import MailThread
from portal.server.listener import Capacity, Listener, Sockets
from portal.server.open_files import max_connections
from portal.web.health import mark_not_ready

GRACEFUL_SECONDS = 30.0
"""Timeout of running requests, and of the email that is being sent, after the first signal."""
QUEUE_SECONDS = 2.0
"""The time in which all forms that wait could be answered if each needed a password hash; more are refused with 503."""
SECOND_SIGNAL_SECONDS = 3.0
"""The timeout after a second signal. Two signals within a second, as from a terminal and from `make`, count as one."""


class _Signals:
    """The deadline of the shutdown, set by SIGTERM, Ctrl-C or a closed terminal."""

    deadline: float | None = None
    _first = 0.0

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._set_deadline)

    def _set_deadline(self, *_arguments: object) -> None:
        now = monotonic()
        if self.deadline is None:
            self._first, self.deadline = now, now + GRACEFUL_SECONDS
        elif now > self._first + 1:
            self.deadline = min(self.deadline, now + SECOND_SIGNAL_SECONDS)
        self._listener.pull_trigger()


def run(
    app: Flask, listening: socket.socket, scraped: socket.socket | None, *, threads: int, form_threads: int
) -> None:
    """Serve the app, and its metrics on the socket `scraped`, until a signal; on SQLite also deliver email.

    After the signal, new connections are refused, and running requests and the email that is being sent are finished.
    """
    _redirect_waitress_log()
    sockets: Sockets = {}
    context = context_of(app)
    waiting = max(1, int(context.hasher.hashes_per_second * QUEUE_SECONDS))
    capacity = Capacity(threads, form_threads, waiting, max_connections(threads + form_threads))
    listener = Listener(app, listening, sockets, capacity)
    listeners = [listener]
    if scraped:
        from portal.metrics import metrics_app  # slow to import, and only METRICS_PORT needs it

        metrics = metrics_app(context, lambda: listener.waiting_forms)
        listeners.append(Listener(metrics, scraped, sockets, Capacity(4, 1, 1, connections=20)))
    signals = _Signals(listener)
    mail = MailThread(app) if settings_of(app).is_embedded else None
    if mail:
        mail.start()
    while signals.deadline is None:
        _turn(sockets, listeners, 1.0)
    mark_not_ready(app)
    if mail:
        mail.stop()
    listener.end()
    while (listener.connections or (mail and mail.is_alive())) and monotonic() < signals.deadline:
        _turn(sockets, listeners, 0.1)
    listener.stop_threads()


def _turn(sockets: Sockets, listeners: list[Listener], seconds: float) -> None:
    """Wait for events of sockets, for at most this time, and handle them."""
    wasyncore.loop(seconds, use_poll=True, map=sockets, count=1)
    for listener in listeners:
        listener.close_overdue_connections()


def _redirect_waitress_log() -> None:
    """Send the warnings of waitress to the portal's log."""
    log = logging.getLogger("waitress")
    log.handlers = logging.getLogger("portal").handlers
    log.setLevel(logging.WARNING)
    log.addFilter(_filter_record)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns whenever a request waits for a thread


def _filter_record(record: logging.LogRecord) -> bool:
    """Remove the path of a request, which may contain a token; drop records about clients that disconnected."""
    record.msg, record.args = re.sub(r"(?s) serving .*", " serving a request", record.getMessage()), ()
    return record.msg != "Socket error"
