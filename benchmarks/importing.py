"""Measure the import of 100,000 customers beside a plain executemany of the same rows."""

import csv
import sqlite3
from contextlib import closing
from io import BytesIO, StringIO
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.instance import temporary_instance
from portal.app import build_context
from portal.cli.customer_file import read_customers
from portal.domain.operations.import_customers import begin_import
from portal.instance_dir import secret_key
from portal.storage.sqlite import BUSY_SECONDS

ROWS = 100_000
_NAMES = ("email", "firstName", "lastName", "phone", "streetAddress", "city", "postalCode", "country", "newsletter")
_HASH = "$2b$12$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"
_COLUMNS = "{:<44} {:>9} {:>9}"


def run() -> None:
    """Measure and print."""
    content = _file()
    print(f"Import of {ROWS:,} customers with an account, {len(content) / 1e6:.0f} MB of CSV: seconds.")
    print(_COLUMNS.format("", "clock", "CPU"))
    with temporary_instance() as instance:
        context = build_context(instance.settings, secret_key(instance.settings))
        started = _now()
        with begin_import(context, 1) as rows:
            assert not list(rows.check(read_customers(BytesIO(content), lambda _: None)))
            checked = _now()
            assert rows.store().accounts == ROWS
        stored = _now()
        context.database.engine.dispose()
        bare = _bare(content, instance.path / "bare-import.sqlite3")
    _print("read and check into import tables", started, checked)
    _print("store, while other writers wait", checked, stored)
    _print("total", started, stored)
    print(_COLUMNS.format("csv.reader into executemany, plain SQLite", *(f"{seconds:.1f}" for seconds in bare)))
    print(f"CPU ratio: {(stored[1] - started[1]) / bare[1]:.1f};", end=" ")
    print(f"a waiting writer gets an error after {BUSY_SECONDS} s.")


def _file() -> bytes:
    text = StringIO()
    rows = csv.writer(text)
    rows.writerow([*_NAMES, "passwordHash"])
    for number in range(ROWS):
        email = f"customer-{number * 7919 % ROWS:06}@example{number % 500}.com"
        address = (f"Dlouhá {number}", "Praha", "110 00", "cz", "yes")
        rows.writerow([email, "Jana", "Nováková", f"+420 777{number:06}", *address, _HASH])
    return text.getvalue().encode()


def _bare(content: bytes, path: Path) -> tuple[float, float]:
    """Measure the minimal import of the rows into two tables with the same unique keys."""
    started = _now()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        columns = ", ".join(f'"{name}" TEXT' for name in _NAMES)
        connection.execute(f"CREATE TABLE contact (id INTEGER PRIMARY KEY, {columns}, UNIQUE (email))")
        connection.execute("CREATE TABLE account (contact_id INTEGER PRIMARY KEY, hash TEXT)")
        rows = list(csv.reader(StringIO(content.decode())))[1:]
        marks = ", ".join("?" * len(_NAMES))
        connection.executemany(f"INSERT INTO contact VALUES (NULL, {marks})", [row[:-1] for row in rows])  # noqa: S608 - of the column names above
        connection.executemany("INSERT INTO account VALUES (?, ?)", [(n, row[-1]) for n, row in enumerate(rows, 1)])
    ended = _now()
    return ended[0] - started[0], ended[1] - started[1]


def _now() -> tuple[float, float]:
    return perf_counter(), process_time()


def _print(step: str, started: tuple[float, float], ended: tuple[float, float]) -> None:
    print(_COLUMNS.format(step, f"{ended[0] - started[0]:.1f}", f"{ended[1] - started[1]:.1f}"))
