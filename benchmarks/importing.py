"""Measure the CPU time of an import, in imports of the same rows by plain INSERT statements, and its memory."""

import csv
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from time import process_time

from benchmarks.backends import Backends
from benchmarks.instance import Instance, import_customers, temporary_instance, write_import
from benchmarks.rows import Measured

NAMES = ("import", "import-memory")
_MILLION = 1_000_000
_LEAST = 100_000
"""Fewer are imported while the command still loads its modules."""


def measure(
    names: Collection[str], customers: int, rounds: int, backends: Backends | None = None
) -> Mapping[str, Measured]:
    """Measure the named rows with so many customers, at least 100,000, each time into an empty instance."""
    if not set(NAMES) & set(names):
        return {}
    customers = max(customers, _LEAST)
    ratios, peaks, with_backends = [], [], []
    for _ in range(max(1, min(rounds, _MILLION // customers) // 3)):
        with temporary_instance(backends=backends) as instance:
            before = backends.cpu_seconds() if backends else 0.0
            spent = import_customers(customers, instance.path, instance.environment)
            backends_spent = backends.cpu_seconds() - before if backends else 0.0
            peaks.append(spent.peak_mib)
            bare_seconds = _bare_seconds(instance, customers)
            ratios.append(spent.cpu_seconds / bare_seconds)
            with_backends.append((spent.cpu_seconds + backends_spent) / bare_seconds)
            print(f"Import of {customers:,} customers: {spent.cpu_seconds:.1f} s of CPU.")
    measured = {"import": Measured(ratios, (), with_backends), "import-memory": Measured(peaks)}
    return {name: found for name, found in measured.items() if name in names}


def _bare_seconds(instance: Instance, customers: int) -> float:
    """Return the CPU time of the least import of the rows: into two tables with the same unique keys."""
    path = write_import(customers, instance.path)
    before = process_time()
    with (
        closing(sqlite3.connect(instance.path / "bare.sqlite3")) as connection,
        connection,
        path.open(newline="") as file,
    ):
        rows = csv.reader(file)
        *names, _ = next(rows)
        connection.execute("PRAGMA journal_mode = WAL")
        columns = ", ".join(f'"{name}" TEXT' for name in names)
        connection.execute(f"CREATE TABLE contact (id INTEGER PRIMARY KEY, {columns}, UNIQUE (email))")
        connection.execute("CREATE TABLE account (contact_id INTEGER PRIMARY KEY, hash TEXT)")
        contact = f"INSERT INTO contact VALUES (?, {', '.join('?' * len(names))})"  # noqa: S608 - of the column names above
        for number, row in enumerate(rows, 1):
            connection.execute(contact, (number, *row[:-1]))
            connection.execute("INSERT INTO account VALUES (?, ?)", (number, row[-1]))
    return process_time() - before
