"""Metrics for Prometheus, on a port of their own: what the log says, counted, and how long the queues are.

Only a worker process of `portal serve` with METRICS_PORT imports this, after `shared_folder` was made. All processes
count into files of that folder, so that whichever of them answers a scrape tells of all.
"""

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from socketserver import ThreadingMixIn
from threading import Lock, Thread
from typing import Any
from wsgiref import simple_server
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from portal.domain.backends import DatabaseAway
from portal.domain.backlog import waiting_mails
from portal.domain.context import Context

SCRAPE_SECONDS = 5.0
"""How long a connection may stay silent: each has a thread."""
_log = logging.getLogger("portal.metrics")

_requests = Counter("portal_requests", "Requests answered.", ["method", "route", "status"])
_seconds = Histogram("portal_request_seconds", "Time to answer a request.", ["route"])
_events = Counter("portal_events", "What happened, sign-ins among it, by result.", ["kind", "result"])
_throttled = Counter("portal_throttled", "Tries that a limit refused.", ["scope"])
_hashes = Gauge(
    "portal_hashes_waiting", "Hashes computed or waiting, when last looked at.", multiprocess_mode="livesum"
)


class _Counting(logging.Handler):
    """Counts what is logged instead of writing it."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record. One that has nothing to count, or cannot be counted, fails no request for that."""
        with suppress(Exception):  # as in logging's own handlers: to log never raises
            self._count(record)

    def _count(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = getattr(record, "fields", {})
        match record.name:
            case "portal.access":
                _requests.labels(fields["method"], fields["route"], str(fields["status"])).inc()
                _seconds.labels(fields["route"]).observe(fields["ms"] / 1000)
                _hashes.set(self._context.hasher.admitted)
            case "portal.events":
                _events.labels(fields["kind"], fields["refusal"] or "done").inc()
            case "portal.throttled":
                _throttled.labels(fields["scope"]).inc()


class _Outbox(Collector):
    """What the database tells, asked at each scrape; while it is away, nothing.

    One scrape asks at a time: with a long queue it may take a while, and the connections are the customers'. Those that
    come meanwhile get what the last one was told.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asking = Lock()
        self._told: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """How many mails wait, and how long the oldest has waited."""
        if self._asking.acquire(blocking=False):
            try:
                self._told = self._ask()
            finally:
                self._asking.release()
        yield from self._told

    def _ask(self) -> list[Metric]:
        try:
            with self._context.database.read() as connection:
                waiting, age = waiting_mails(connection, self._context.clock)
        except DatabaseAway:
            return []
        seconds = age.total_seconds()
        return [
            GaugeMetricFamily("portal_outbox_mails", "Mails that wait to be sent.", value=waiting),
            GaugeMetricFamily("portal_outbox_age_seconds", "How long the oldest of them has waited.", value=seconds),
        ]


class _Answer(simple_server.ServerHandler):
    server_software = ""  # neither the library's name and version nor Python's

    def log_exception(self, exc_info: Any) -> None:
        """Where everything else is logged; the library would write past that."""
        _log.error("a scrape could not be answered", exc_info=exc_info)


class _QuietHandler(WSGIRequestHandler):
    timeout = SCRAPE_SECONDS

    def version_string(self) -> str:
        """As above, for requests that are none."""
        return ""

    def log_message(self, *_arguments: object) -> None:
        """Scrapes are no news."""


class _SharedServer(ThreadingMixIn, WSGIServer):
    """Listens beside the other worker processes; a scrape goes to one of them."""

    daemon_threads = True
    allow_reuse_port = True
    request_queue_size = 128  # of 5, as it is by default, some of many scrapes at once would wait for seconds

    def handle_error(self, request: object, client_address: object) -> None:
        """As above, for what goes wrong outside of an answer; that a client has gone is no news."""
        del request, client_address
        if not isinstance(sys.exc_info()[1], OSError):
            _log.exception("a scrape could not be read")


def serve_metrics(context: Context, host: str, port: int) -> None:
    """Count from now on, and answer scrapes from a thread of this process until it ends. Raises OSError."""
    counting = _Counting(context)
    for name in ("portal.access", "portal.events"):
        logging.getLogger(name).addHandler(counting)
    throttled = logging.getLogger("portal.throttled")
    throttled.setLevel(logging.DEBUG)
    throttled.propagate = False
    throttled.handlers = [counting]
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    registry.register(_Outbox(context))
    simple_server.ServerHandler = _Answer  # type: ignore[misc] # the library has no other way to choose it
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listening = type("_Listening", (_SharedServer,), {"address_family": family})
    server: WSGIServer = make_server(host, port, make_wsgi_app(registry), listening, _QuietHandler)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
