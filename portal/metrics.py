"""Metrics for Prometheus, on a port of their own: what the log says, counted, and how long the queues are.

Only `portal serve` with METRICS_PORT imports this.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from portal.domain.context import Context
from portal.domain.operations.mail_queue import queued_mails
from portal.storage.backends import DatabaseUnavailable

disable_created_metrics()  # they double what is told, and nothing asks for them
_registry = CollectorRegistry()  # and not the library's own, which tells the version of Python
_requests = Counter("portal_requests", "Requests answered.", ["method", "route", "status"], registry=_registry)
_seconds = Histogram("portal_request_seconds", "Time to answer a request.", ["route"], registry=_registry)
_events = Counter("portal_events", "What happened, sign-ins too, by result.", ["kind", "result"], registry=_registry)
_throttled = Counter("portal_throttled", "Tries that a limit refused.", ["scope"], registry=_registry)
_hashes = Gauge("portal_hashes_waiting", "Hashes computed or waiting.", registry=_registry)


class _Counting(logging.Handler):
    """Counts what is logged instead of writing it."""

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
                waiting, age = queued_mails(connection, self._context.clock)
        except DatabaseUnavailable:
            return []
        seconds = age.total_seconds()
        return [
            GaugeMetricFamily("portal_outbox_mails", "Mails that wait to be sent.", value=waiting),
            GaugeMetricFamily("portal_outbox_age_seconds", "How long the oldest of them has waited.", value=seconds),
        ]


def metrics_app(context: Context) -> Any:
    """Count from now on; the WSGI application that answers scrapes."""
    counting = _Counting()
    for name in ("portal.access", "portal.events"):
        logging.getLogger(name).addHandler(counting)
    throttled = logging.getLogger("portal.throttled")
    throttled.setLevel(logging.DEBUG)
    throttled.propagate = False
    throttled.handlers = [counting]
    _hashes.set_function(lambda: context.hasher.admitted)
    _registry.register(_Outbox(context))
    return make_wsgi_app(_registry)
