"""Count hashes, record statements and log lines, and run calls in parallel, for tests."""

import json
import logging
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Barrier, Event, Lock, Thread
from time import monotonic, sleep
from typing import Any, Literal, TypeVar

import pytest
from sqlalchemy import Engine, event

from portal.logging_setup import JsonFormatter
from tests.servers.processes import PATIENCE_SECONDS

Result = TypeVar("Result")
PATIENCE = PATIENCE_SECONDS


class HashCounter:
    """Replaces argon2's function: counts the hashes, and holds them back while `gate` is closed."""

    def __init__(self, hash_secret: Callable[..., bytes]) -> None:
        self._hash_secret = hash_secret
        self._lock = Lock()
        self.computed = 0
        self.running = 0
        self.most_at_once = 0
        self.gate = Event()
        self.gate.set()

    def __call__(self, *arguments: Any, **options: Any) -> bytes:
        with self._lock:
            self.computed += 1
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
        try:
            assert self.gate.wait(PATIENCE)
            return self._hash_secret(*arguments, **options)
        finally:
            with self._lock:
                self.running -= 1

    def during(self, work: Callable[[], object]) -> int:
        """Return the number of hashes that a piece of work takes."""
        before = self.computed
        work()
        return self.computed - before


def normalised_lengths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the length of each text that is brought into a Unicode normal form from now on, by any library."""
    lengths: list[int] = []
    normalize = unicodedata.normalize

    def noted(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
        lengths.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", noted)
    return lengths


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[str]]:
    """Record the statements of a block in order, without their parameters."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):  # which only SQLite's dialect sends as a statement
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@contextmanager
def lines_of(name: str) -> Iterator[list[dict[str, Any]]]:
    """Record the lines that a logger writes in a block, as JSON."""
    lines: list[dict[str, Any]] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(JsonFormatter().format(record)))

    logger, collector, level = logging.getLogger(name), Collector(), logging.getLogger(name).level
    logger.addHandler(collector)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)


def in_parallel(works: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
    """Run each function in its own thread, released by one barrier; return what each returned or raised."""
    barrier = Barrier(len(works))
    outcomes: dict[int, Result | Exception] = {}

    def run(number: int, work: Callable[[], Result]) -> None:
        barrier.wait(PATIENCE)
        try:
            outcomes[number] = work()
        except Exception as error:  # noqa: BLE001 - the test checks every exception
            outcomes[number] = error

    threads = [Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return [outcomes[number] for number in range(len(works))]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, "what was waited for never came"
        sleep(0.001)
