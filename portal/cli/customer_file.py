"""Read customers from CSV or JSON Lines, row by row, so that a long file needs little memory."""

import csv
import json
from collections.abc import Callable, Iterator
from typing import IO

from portal.domain.operations.import_customers import BadRow, Row
from portal.domain.operations.import_fields import READERS, shown
from portal.domain.values.text import cleaned

MAX_LINE = 256 * 1024
"""Bytes; twice the length of a row with all fields at their longest."""
_BOM = b"\xef\xbb\xbf"
_OTHER_FORMATS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK": "a spreadsheet or an archive"}
_SWITCH = {"true": True, "yes": True, "1": True, "": False, "false": False, "no": False, "0": False}


class UnreadableFile(Exception):
    """A file that cannot be split into rows; the message is one line."""


def read_customers(file: IO[bytes], advance: Callable[[int], object]) -> Iterator[Row | BadRow]:
    """Yield the rows of a file: JSON Lines when it begins with a brace, else CSV. Raises UnreadableFile.

    Calls `advance` with each number of bytes read. Lines are numbered from 1; a row over several lines (quoted line
    breaks) has the number of its first.
    """
    lines = _Lines(file, advance)
    first = next(lines, None)
    while first is not None and not first.strip():
        first = next(lines, None)
    if first is None:
        raise UnreadableFile("The file is empty.")
    lines.put_back(first)
    yield from (_json_rows(lines) if first.lstrip().startswith("{") else _csv_rows(lines))


class _Lines:
    """The lines of a file as text; bytes that are not UTF-8 become lone surrogates, which every field refuses."""

    def __init__(self, file: IO[bytes], advance: Callable[[int], object]) -> None:
        self._file = file
        self._advance = advance
        self._next: str | None = None
        self.number = 0
        """The number of the last line returned."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._next is not None:
            line, self._next = self._next, None
        else:
            line = self._read()
        self.number += 1
        return line

    def put_back(self, line: str) -> None:
        """Return the last line once more at the next call."""
        self._next = line
        self.number -= 1

    def _read(self) -> str:
        raw = self._file.readline(MAX_LINE + 1)
        if not raw:
            raise StopIteration
        self._advance(len(raw))
        if len(raw) > MAX_LINE:
            raise UnreadableFile(f"Line {self.number + 1} is longer than {MAX_LINE} bytes.")
        if self.number == 0:
            for signature, kind in _OTHER_FORMATS.items():
                if raw.startswith(signature):
                    raise UnreadableFile(f"The file is {kind}; save it as CSV in UTF-8.")
            raw = raw.removeprefix(_BOM)
        return raw.decode("utf-8", "surrogateescape")


def _csv_rows(lines: _Lines) -> Iterator[Row | BadRow]:
    csv.field_size_limit(MAX_LINE)
    rows = csv.reader(lines, strict=True)
    names: list[str] | None = None
    unnamed = 0
    """Empty columns of a spreadsheet behind the others."""
    while True:
        first_line = lines.number + 1
        cells = _next_cells(rows, lines)
        if cells is None:
            return
        if not any(map(cleaned, cells)):  # an empty line, or an empty row of a spreadsheet
            continue
        if names is None:
            while not cleaned(cells[-1]):
                cells.pop()
                unnamed += 1
            names = _header(cells)
            continue
        if len(cells) == len(names) + unnamed and not any(map(cleaned, cells[len(names) :])):
            del cells[len(names) :]
        if len(cells) != len(names):
            yield BadRow(first_line, f"The row has {len(cells)} cells and the header {len(names)}.")
        else:
            yield Row(first_line, {name: _typed(name, cell) for name, cell in zip(names, cells, strict=True)})


def _next_cells(rows: Iterator[list[str]], lines: _Lines) -> list[str] | None:
    try:
        return next(rows, None)
    except csv.Error:
        # The next line may belong to this row or be a new one, so customers could be lost without a message.
        raise UnreadableFile(
            f"Line {lines.number}: The quotes of this row, or of one before it, do not match."
        ) from None


def _header(cells: list[str]) -> list[str]:
    names = [cleaned(cell) for cell in cells]
    for number, name in enumerate(names, 1):
        if name not in READERS:
            hint = " Separate columns by commas." if len(names) == 1 else ""
            column = f"column {shown(name)!r}" if shown(name) == name else f"name of column {number}"
            raise UnreadableFile(f"The header has an unknown {column}; the columns are: {', '.join(READERS)}.{hint}")
        if name in names[: number - 1]:
            raise UnreadableFile(f"The header has the column {name!r} twice.")
    if not {"email", "phone"} & set(names):
        raise UnreadableFile("The header has neither a column 'email' nor a column 'phone'.")
    return names


def _typed(name: str, cell: str) -> object:
    """Return a cell as the type that JSON has for the field; a wrong value stays text, which the field then refuses."""
    if name == "groups":
        return cell.split(";")
    if name == "newsletter":
        return _SWITCH.get(cleaned(cell).lower(), cell)
    return cell


def _json_rows(lines: _Lines) -> Iterator[Row | BadRow]:
    for line in lines:
        if not line.strip():
            continue
        try:
            values = json.loads(line, object_pairs_hook=_unique_names)
        except (ValueError, RecursionError):
            values = None
        if isinstance(values, dict):
            yield Row(lines.number, values)
        else:
            yield BadRow(lines.number, "The line is not one JSON object with each name once.")


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("repeated name")
    return values
