"""Log lines on a terminal, in JSON, and when they cannot be written."""

import json
import logging
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from portal.domain.context import Context
from portal.logging_setup import QUEUE_SIZE, JsonFormatter, NonBlockingHandler, TextFormatter
from tests.cli.process import wait_until
from tests.servers.pipe import Pipe

ODD = "a\r\n\x1b[31mred\x1b[0m\u2028\u2029\x85\x00\x7f\ud800 z"
"""Text that would start a line of its own, colour a terminal, or cannot be written at all."""
CANARY = "canary@example.com"


@pytest.fixture
def log() -> logging.Logger:
    """A logger that pytest does not capture: captured text goes to another process, which cannot decode half a
    character.
    """
    return logging.Logger("tests.logs", logging.INFO)  # noqa: LOG001 - getLogger's is known to pytest


@pytest.fixture
def file(tmp_path: Path, log: logging.Logger) -> Iterator[Path]:
    """The file that `log` writes to."""
    path = tmp_path / "lines"
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR)
    log.handlers = [handler_for(descriptor)]
    yield path
    flush(log)
    os.close(descriptor)


@pytest.fixture
def pipe(tmp_path: Path, log: logging.Logger, file: Path) -> Iterator[Pipe]:
    """A pipe in place of the file, which is restored at the end."""
    del file
    kept = os.dup(descriptor_of(log))
    with Pipe(tmp_path / "pipe") as pipe:
        entry = os.open(pipe.path, os.O_WRONLY)
        os.dup2(entry, descriptor_of(log))
        yield pipe
        pipe.read()
        flush(log)
    os.dup2(kept, descriptor_of(log))
    os.close(kept)
    os.close(entry)


def handler_for(descriptor: int, queue_size: int = QUEUE_SIZE) -> NonBlockingHandler:
    handler = NonBlockingHandler(descriptor, queue_size)
    handler.setFormatter(JsonFormatter())
    return handler


def descriptor_of(log: logging.Logger) -> int:
    handler = log.handlers[0]
    assert isinstance(handler, NonBlockingHandler)
    return handler._descriptor


def flush(log: logging.Logger) -> None:
    log.handlers[0].flush()


def messages(path: Path) -> list[str]:
    return [json.loads(line)["message"] for line in path.read_text().splitlines()]


def test_lines_are_written_in_order(log: logging.Logger, file: Path) -> None:
    for number in range(1000):
        log.info("line %d", number)
    flush(log)
    assert messages(file) == [f"line {number}" for number in range(1000)]


def test_a_line_is_written_without_a_flush(log: logging.Logger, file: Path) -> None:
    log.info("one")
    wait_until(lambda: file.read_text().endswith("\n"))
    assert messages(file) == ["one"]


def test_lines_that_cannot_be_written_are_dropped_and_counted(log: logging.Logger, pipe: Pipe) -> None:
    log.handlers = [handler_for(descriptor_of(log), queue_size=20)]
    pipe.fill()
    for number in range(100):
        log.info("line %d", number)
    wait_until(lambda: any("lines of the log were dropped" in line for line in pipe.read()))
    *lines, told = [json.loads(line) for line in pipe.read()]
    assert [line["message"] for line in lines] == [f"line {number}" for number in range(len(lines))]
    assert 20 <= len(lines) <= 21, "the one that the thread holds, and those that wait"
    assert told["level"] == "warning"
    assert told["message"] == f"{100 - len(lines)} lines of the log were dropped"


def test_a_full_disk_drops_lines_until_there_is_space(log: logging.Logger, file: Path) -> None:
    log.info("before")
    flush(log)
    with file.open("ab") as kept, Path("/dev/full").open("ab", buffering=0) as full:
        os.dup2(full.fileno(), descriptor_of(log))
        log.info("lost")
        log.info("lost as well")
        flush(log)
        os.dup2(kept.fileno(), descriptor_of(log))
    log.info("after")
    flush(log)
    assert messages(file) == ["before", "after", "2 lines of the log were dropped"]


def test_a_line_that_was_cut_off_does_not_spoil_the_next(log: logging.Logger, pipe: Pipe) -> None:
    os.set_blocking(descriptor_of(log), False)
    log.info("x" * 500_000)
    flush(log)
    (torn,) = pipe.read()
    log.info("whole")
    flush(log)
    whole = pipe.read()[1:]
    assert torn.endswith("x")
    assert [json.loads(line)["message"] for line in whole] == ["whole", "1 lines of the log were dropped"]


def test_a_record_that_cannot_be_formatted_is_counted_and_not_printed(
    log: logging.Logger, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log.handlers[0].handle(logging.makeLogRecord({"msg": "%d", "args": (CANARY,)}))
    log.info("whole")
    flush(log)
    assert messages(file) == ["whole", "1 lines of the log were dropped"]
    assert capfd.readouterr().err == ""


def test_a_line_of_json_has_the_names_that_collectors_know(log: logging.Logger, file: Path) -> None:
    log.info("%(kind)s", {"kind": "login"}, extra={"fields": {"kind": "login", "customer": None}, "other": CANARY})
    flush(log)
    (line,) = file.read_text().splitlines()
    entry = json.loads(line)
    assert datetime.fromisoformat(entry["time"]).utcoffset() == timedelta(0)
    assert [*entry.items()][1:] == [
        ("level", "info"),
        ("logger", "tests.logs"),
        ("message", "login"),
        ("kind", "login"),
        ("customer", None),
    ]


def test_an_object_is_not_written_by_its_repr(log: logging.Logger, file: Path) -> None:
    log.info("lost", extra={"fields": {"error": ValueError(CANARY)}})
    log.info("whole")
    flush(log)
    assert messages(file) == ["whole", "1 lines of the log were dropped"]


def test_a_message_that_is_a_dictionary_is_in_the_line(log: logging.Logger, file: Path) -> None:
    log.info({"reason": ODD})
    flush(log)
    (line,) = file.read_bytes().splitlines()
    assert line.isascii()
    assert json.loads(line)["reason"] == ODD


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_line_breaks_and_escape_sequences_in_a_message_are_escaped(
    log: logging.Logger, file: Path, formatter: logging.Formatter
) -> None:
    log.handlers[0].setFormatter(formatter)
    log.info("%s", ODD)
    flush(log)
    (line,) = file.read_bytes().splitlines()
    assert line.isascii()
    assert not any(character < 0x20 or character == 0x7F for character in line)


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_an_exception_is_logged_with_class_and_location_without_its_message(
    log: logging.Logger, file: Path, formatter: logging.Formatter
) -> None:
    log.handlers[0].setFormatter(formatter)
    try:
        try:
            raise KeyError(ODD)
        except KeyError:
            raise ValueError(ODD) from OSError(ODD)
    except ValueError as error:
        error.add_note(ODD)
        log.exception("it failed")
    flush(log)
    written = file.read_bytes()
    assert written.index(b"builtins.OSError") < written.index(b"builtins.ValueError")
    assert b"test_logging_setup.py" in written
    assert written.isascii()
    assert not any((character < 0x20 and character != 0x0A) or character == 0x7F for character in written)
    assert b"31mred" not in written


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_a_row_quoted_by_a_database_error_is_not_logged(
    log: logging.Logger, file: Path, formatter: logging.Formatter, context: Context
) -> None:
    log.handlers[0].setFormatter(formatter)
    try:
        with context.database.write() as connection:
            connection.execute(text("CREATE TEMPORARY TABLE typed (name TEXT UNIQUE)"))
            for _ in range(2):
                connection.execute(text("INSERT INTO typed VALUES (:name)"), {"name": CANARY})
    except IntegrityError:
        log.exception("it failed")
    flush(log)
    written = file.read_text()
    assert "sqlalchemy.exc.IntegrityError" in written
    assert ("psycopg.errors.UniqueViolation" in written) == (context.database.engine.dialect.name == "postgresql")
    assert CANARY not in written
