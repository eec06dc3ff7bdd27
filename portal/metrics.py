"""Metrics for Prometheus: counts of log records, and the length of the mail queue.

Only `portal serve` with METRICS_PORT imports this.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from portal.domain.context import Context
from portal.domain.operations.mail_queue import queued_mails
from portal.storage.backends import DatabaseUnavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

disable_created_metrics()  # they would double the number of metrics
_registry = CollectorRegistry()  # the library's own shows the version of Python
_requests = Counter("portal_requests", "Requests answered.", ["method", "route", "status"], registry=_registry)
_seconds = Histogram("portal_request_seconds", "Time to answer a request.", ["route"], registry=_registry)
_events = Counter("portal_events", "Events of accounts, by result.", ["kind", "result"], registry=_registry)
_throttled = Counter("portal_throttled", "Attempts refused by a rate limit.", ["scope"], registry=_registry)
_hashes = Gauge("portal_hashes_waiting", "Hashes computed or waiting.", registry=_registry)
_forms = Gauge("portal_forms_waiting", "Forms and API calls that wait for a thread.", registry=_registry)


class _Counting(logging.Handler):
    """Counts log records instead of writing them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record; never raises."""
        with suppress(Exception):  # as in logging's own handlers
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
    """Metrics of the mail queue, read from the database at each scrape; none while it is away.

    One scrape queries at a time, since a long queue takes time and customers need the connections. A scrape at the same
    time gets the previous values.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = Lock()
        self._last: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """Yield the number of queued emails and the age of the oldest."""
        if self._lock.acquire(blocking=False):
            try:
                self._last = self._query()
            finally:
                self._lock.release()
        yield from self._last

    def _query(self) -> list[Metric]:
        try:
            with self._context.database.read() as connection:
                waiting, age = queued_mails(connection, self._context.clock)
        except DatabaseUnavailable:
            return []
        seconds = age.total_seconds()
        return [
            GaugeMetricFamily("portal_outbox_mails", "Queued emails.", value=waiting),
            GaugeMetricFamily("portal_outbox_age_seconds", "Age of the oldest queued email.", value=seconds),
        ]


def metrics_app(context: Context, waiting_forms: Callable[[], int]) -> "WSGIApplication":
    """Start counting, and return the WSGI application that answers scrapes."""
    counting = _Counting()
    for name in ("portal.access", "portal.events"):
        logging.getLogger(name).addHandler(counting)
    throttled = logging.getLogger("portal.throttled")
    throttled.setLevel(logging.DEBUG)
    throttled.propagate = False
    throttled.handlers = [counting]
    _hashes.set_function(lambda: context.hasher.admitted)
    _forms.set_function(waiting_forms)
    _registry.register(_Outbox(context))
    return make_wsgi_app(_registry)
