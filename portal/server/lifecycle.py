"""Run the server until a signal, and finish requests and email before the process exits."""

import logging
import re
import resource
import signal
import socket
from time import monotonic

from flask import Flask
from waitress import wasyncore

from portal.app import context_of, settings_of
from portal.mail.thread import MailThread
from portal.server.listener import Listener, Sockets
from portal.web.health import mark_not_ready

CONNECTIONS = 1000
"""The maximum for each process, if its limit of open files allows it."""
GRACEFUL_SECONDS = 30.0
"""Timeout of running requests, and of the email that is being sent, after the signal."""
QUEUE_SECONDS = 2.0
"""The time in which all forms that wait could be answered if each needed a password hash; more are refused with 503."""


def run(
    app: Flask, listening: socket.socket, scraped: socket.socket | None, *, threads: int, form_threads: int
) -> None:
    """Serve the app, and its metrics on the socket `scraped`, until a signal; on SQLite also deliver email.

    After the signal, new connections are refused, and running requests and the email that is being sent are finished.
    """
    logging.getLogger("waitress").addFilter(_filter_record)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns whenever a request waits for a thread
    sockets: Sockets = {}
    context = context_of(app)
    waiting = max(1, int(context.hasher.hashes_per_second * QUEUE_SECONDS))
    limits = {"threads": threads, "connection_limit": max_connections()}
    listener = Listener(app, listening, sockets, form_threads=form_threads, waiting_forms=waiting, **limits)
    listeners = [listener]
    if scraped:
        from portal.metrics import metrics_app  # slow to import, and only METRICS_PORT needs it

        metrics = metrics_app(context, lambda: listener.waiting_forms)
        listeners.append(Listener(metrics, scraped, sockets, form_threads=1, waiting_forms=1, connection_limit=20))
    signals = _catch_signals(listener)
    mail = MailThread(app) if settings_of(app).is_embedded else None
    if mail:
        mail.start()
    while not signals:
        _turn(sockets, listeners, 1.0)
    mark_not_ready(app)
    if mail:
        mail.stop()
    listener.end()
    deadline = monotonic() + GRACEFUL_SECONDS
    while (listener.active_channels or (mail and mail.is_alive())) and monotonic() < deadline:
        _turn(sockets, listeners, 0.1)
    listener.stop_threads()


def max_connections() -> int:
    """Raise the process's limit of open files as far as needed and allowed; return half of it.

    The other half is for the database, Redis, email and the log. The usual soft limit of 1,024 is too low for both.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 2 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(2 * CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit // 2


def _catch_signals(listener: Listener) -> list[int]:
    """Return a list that SIGTERM, Ctrl-C or a closed terminal adds to.

    A second signal may interrupt the handler of the first, so it must use no lock.
    """
    signals: list[int] = []

    def stop(number: int, _frame: object) -> None:
        signals.append(number)
        listener.pull_trigger()

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    return signals


def _turn(sockets: Sockets, listeners: list[Listener], seconds: float) -> None:
    """Wait for events of sockets, for at most this time, and handle them."""
    wasyncore.loop(seconds, use_poll=True, map=sockets, count=1)
    for listener in listeners:
        listener.close_overdue_connections()


def _filter_record(record: logging.LogRecord) -> bool:
    """Remove the path of a request, which may contain a token; drop records about clients that disconnected."""
    record.msg, record.args = re.sub(r"(?s) serving .*", " serving a request", record.getMessage()), ()
    return record.msg != "Socket error"
