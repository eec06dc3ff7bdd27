"""Output of commands: aligned tables, fields and JSON, safe to show in a terminal."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click

_GAP = "  "
_NOTHING = "-"


def echo_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their headings, in aligned columns."""
    lines = [list(headings), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        click.echo(_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def echo_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print one named value on each line."""
    cells = [(name, _cell(value)) for name, value in fields]
    width = max(len(name) for name, _ in cells)
    for name, cell in cells:
        click.echo(f"{name.ljust(width)}{_GAP}{cell}")


def echo_json(value: object) -> None:
    """Print a value as JSON; letters stay readable, and control characters are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def timestamp(moment: datetime) -> str:
    """Return a time in the form that all commands print."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return timestamp(value)
    if value is None or value == "":
        return _NOTHING
    # Customers choose names, and mail servers choose their answers: no escape sequence of theirs may reach a terminal.
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(value))
