"""Measure the CPU time of an email, and how many of them workers send to a mail server that answers at once."""

from contextlib import ExitStack
from time import monotonic

from benchmarks.backends import Backends, running_backends
from benchmarks.cpu import family_cpu_seconds
from benchmarks.instance import default_visitor, imported_email, temporary_instance
from benchmarks.servers import portal_worker
from portal.domain.use_cases.request_reset import request_reset
from portal.domain.values.email import parse_email
from tests.mail.sink import Sink

_EMAILS = 1000
_WARM_UP = 50
_COLUMNS = "{:<28} {:>14} {:>24} {:>9}"


def run() -> None:
    """Measure and print."""
    print(f"Emails: {_EMAILS} with a reset link.")
    print(_COLUMNS.format("", "CPU ms of each", "of PostgreSQL and Redis", "an hour"))
    with running_backends() as backends:
        for title, kind, workers in (
            ("SQLite, 1 worker", None, 1),
            ("PostgreSQL, 1 worker", backends, 1),
            ("PostgreSQL, 2 workers", backends, 2),
        ):
            worker_ms, backends_ms, rate = _measure(kind, workers)
            print(_COLUMNS.format(title, f"{worker_ms:.1f}", f"{backends_ms:.1f}", f"{rate * 3600:,.0f}"))


def _measure(backends: Backends | None, workers: int) -> tuple[float, float, float]:
    """Return the CPU ms of an email in the workers and in the backends, and the emails a second."""
    with (
        Sink() as sink,
        temporary_instance(_EMAILS, backends=backends, MAIL_PORT=str(sink.port)) as instance,
        ExitStack() as running,
    ):
        visitor = default_visitor(instance.context)
        for number in range(_EMAILS):
            request_reset(instance.context, visitor, parse_email(imported_email(number, _EMAILS)))
        pids = [running.enter_context(portal_worker(instance)) for _ in range(workers)]
        first = len(sink.wait_for(_WARM_UP))
        start, before = monotonic(), family_cpu_seconds(pids)
        backends_before = backends.cpu_seconds() if backends else 0.0
        count = len(sink.wait_for(_EMAILS)) - first
        seconds, spent = monotonic() - start, family_cpu_seconds(pids) - before
        backends_spent = backends.cpu_seconds() - backends_before if backends else 0.0
    return spent / count * 1000, backends_spent / count * 1000, count / seconds
