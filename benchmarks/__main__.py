"""`python -m benchmarks`: measure the rows of docs/performance.md, or those that are named."""

import argparse
from collections.abc import Mapping

from benchmarks import counters, emails, importing, overload, report, requests, response_times, starts
from benchmarks.instance import temporary_instance
from benchmarks.rows import ROWS, Measured

_OTHERS = {"response-times": response_times.run, "counters": counters.run, "emails": emails.run}
"""Benchmarks that are no row of the table."""


def main() -> None:
    """Measure one row after another, since two at once would disturb each other."""
    arguments = _arguments()
    names = arguments.row or list(ROWS)
    measured = _measure([name for name in names if name in ROWS], arguments.customers, arguments.rounds)
    if measured:
        print(report.as_text(measured))
    if arguments.save:
        report.save(arguments.save, measured)
        report.write()
    for name in names:
        if name in _OTHERS:
            _OTHERS[name]()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the portal.")
    names = [*ROWS, *_OTHERS]
    parser.add_argument("--row", action="append", choices=names, metavar="NAME", help=f"one of: {', '.join(names)}")
    parser.add_argument("--customers", type=int, default=1000, metavar="N", help="customers in the database (1000)")
    parser.add_argument("--rounds", type=int, default=11, metavar="N", help="rounds, of which medians are taken (11)")
    parser.add_argument(
        "--save", choices=report.COLUMNS, help="store the values for docs/performance.md, and write its table and plot"
    )
    return parser.parse_args()


def _measure(names: list[str], customers: int, rounds: int) -> Mapping[str, Measured]:
    measured: dict[str, Measured] = {}
    if set(names) - set(importing.NAMES):
        with temporary_instance(customers) as instance:
            for module in (starts, requests, overload):
                measured |= module.measure(instance, names, rounds)
    measured |= importing.measure(names, customers, rounds)
    return {name: measured[name] for name in ROWS if name in measured}


if __name__ == "__main__":
    main()
