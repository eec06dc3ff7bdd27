"""`python -m benchmarks.postgresql`: measure the portal on PostgreSQL and Redis beside the portal on SQLite."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

from benchmarks import importing, overload, report, requests, starts
from benchmarks.backends import Backends, running_backends
from benchmarks.instance import temporary_instance
from benchmarks.requests import PortalRequests
from benchmarks.rows import ROWS, Measured, Row
from benchmarks.servers import bare_server, portal_server

_CUSTOMERS = 1000
_IMPORTED = 300_000
_MOST = 1.2
"""The goal: the cost in that on SQLite."""


def main() -> None:
    report.run_section("bench-postgresql", "Measure the portal on PostgreSQL and Redis beside SQLite.", _text)


def _text(rounds: int) -> str:
    with running_backends() as backends:
        measured = _measure(backends, rounds)
    return f"{table(*measured)}\n\n{report.conditions(rounds)}"


def _measure(backends: Backends, rounds: int) -> list[Mapping[str, Measured]]:
    """Return all rows on SQLite, and on PostgreSQL and Redis."""
    kinds = (None, backends)
    with ExitStack() as stack:
        instances = [stack.enter_context(temporary_instance(_CUSTOMERS, kind)) for kind in kinds]
        servers = [partial(portal_server, instance) for instance in instances]
        started = starts.take_turns(servers, partial(bare_server, instances[0]), rounds)
        with ExitStack() as running:
            reference = running.enter_context(bare_server(instances[0]))
            sites = [
                PortalRequests(instance, running.enter_context(server()))
                for instance, server in zip(instances, servers, strict=True)
            ]
            answered = requests.take_turns(instances[0], reference, sites, requests.NAMES, rounds)
        crowded = [overload.measure(instance, overload.NAMES, rounds) for instance in instances]
    imported = [importing.measure(importing.NAMES, _IMPORTED, rounds, kind) for kind in kinds]
    return [
        {name: found for part in parts for name, found in part.items()}
        for parts in zip(answered, started, crowded, imported, strict=True)
    ]


def table(sqlite: Mapping[str, Measured], postgresql: Mapping[str, Measured]) -> str:
    """Return the rows of both as a table in Markdown."""
    rows = [["", "unit", "SQLite", "PostgreSQL and Redis", "ratio", "with theirs", "ratio"]]
    for name, row in ROWS.items():
        one, other = sqlite[name], postgresql[name]
        cells = [*_beside(row, one.value, other.value), *_beside(row, one.value, other.value_with_backends)[1:]]
        rows.append([row.text, row.unit, *cells])
    return report.markdown_table(*rows)


def _beside(row: Row, one: float, other: float | None) -> tuple[str, str, str]:
    """Return two values and their ratio, in bold if it meets the goal; a ratio above 1 is worse."""
    better, worse = (other, one) if row.is_minimum else (one, other)
    if not (better and worse):
        return report.number(row, one), report.number(row, other), ""
    ratio = f"{worse / better:.2f}"
    return report.number(row, one), report.number(row, other), f"**{ratio}**" if float(ratio) <= _MOST else ratio


if __name__ == "__main__":
    main()
