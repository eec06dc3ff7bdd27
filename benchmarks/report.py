"""Show measured values, and write the table and the plot of docs/performance.md from the stored ones."""

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from benchmarks.figures import with_range
from benchmarks.instance import CHECKOUT
from benchmarks.rows import ROWS, Measured, Row

COLUMNS = ("before", "now")
"""The columns of measured values: of the commit before this work, and of the last run."""
_FOLDER = CHECKOUT / "benchmarks" / "results"
_PAGE = CHECKOUT / "docs" / "performance.md"
_PLOT = CHECKOUT / "docs" / "performance.svg"
_BEGIN, _END = "<!-- written by make bench -->\n", "<!-- until here -->\n"
_Stored = dict[str, dict[str, float]]


def as_text(measured: Mapping[str, Measured]) -> str:
    """Return the measured values as a table for the terminal, each median with its range."""
    line = "{:<52} {:<11} {:>7}  {:<26} {}"
    lines = [f"Python {platform.python_version()}, {os.cpu_count()} cores; medians (lowest-highest)."]
    lines.append(line.format("", "unit", "goal", "portal", "bare reference"))
    for name, found in measured.items():
        row = ROWS[name]
        bare = with_range(found.bare, row.digits) if found.bare else ""
        lines.append(line.format(row.text, row.unit, _goal(row), with_range(found.ours, row.digits), bare))
    return "\n".join(lines)


def save(column: str, measured: Mapping[str, Measured]) -> None:
    """Store the medians of the measured rows; other rows keep their stored values."""
    stored = _read(column)
    for name, found in measured.items():
        stored[name] = {"portal": found.value} | ({"bare": found.bare_value} if found.bare_value is not None else {})
    _FOLDER.mkdir(exist_ok=True)
    _file(column).write_text(json.dumps({name: stored[name] for name in ROWS if name in stored}, indent=1) + "\n")


def write() -> None:
    """Write the table into docs/performance.md, and the plot."""
    before, now = (_read(column) for column in COLUMNS)
    _write_between(_BEGIN, _table(before, now))
    _PLOT.write_text(_plot(before, now))


def run_section(command: str, description: str, measure: Callable[[int], str]) -> None:
    """Measure in so many rounds as the command line says, print the text, and with --save write it to the docs."""
    parser = argparse.ArgumentParser(prog=f"make {command}", description=description)
    parser.add_argument("--rounds", type=int, default=11, metavar="N", help="rounds, of which medians are taken (11)")
    parser.add_argument("--save", action="store_true", help="write the table to docs/performance.md")
    arguments = parser.parse_args()
    text = f"\n{measure(arguments.rounds)}\n\n"
    print(text)
    if arguments.save:
        _write_between(f"<!-- written by make {command} -->\n", text)


def markdown_table(*rows: Sequence[str]) -> str:
    """Return rows of cells as a table, the first as its head."""
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *others])


def conditions(rounds: int) -> str:
    """Return a sentence that says where and how often was measured."""
    cores = os.cpu_count() or 1
    busy = f"load {os.getloadavg()[2]:.0f}"
    return f"Python {platform.python_version()}, {cores} cores ({busy}), medians of {rounds} rounds."


def _write_between(begin: str, text: str) -> None:
    """Replace what docs/performance.md has after a marker, up to the next end."""
    head, _, rest = _PAGE.read_text().partition(begin)
    _, _, tail = rest.partition(_END)
    _PAGE.write_text(head + begin + text + _END + tail)


def _file(column: str) -> Path:
    return _FOLDER / f"{column}.json"


def _read(column: str) -> _Stored:
    found: _Stored = json.loads(_file(column).read_text()) if _file(column).exists() else {}
    return found


def _goal(row: Row) -> str:
    return f"{'≥' if row.is_minimum else '≤'} {row.goal:g}"


def _table(before: _Stored, now: _Stored) -> str:
    rows = [["", "unit", "goal", "before", "now", "bare reference"]]
    for name, row in ROWS.items():
        bare = (now.get(name) or before.get(name) or {}).get("bare")
        cells = [number(row, column.get(name, {}).get("portal")) for column in (before, now)]
        reached = name in now and row.meets_goal(now[name]["portal"])
        cells[1] = f"**{cells[1]}**" if reached else cells[1]
        rows.append([row.text, row.unit, _goal(row), *cells, number(row, bare)])
    return f"\n{markdown_table(*rows)}\n\n"


def number(row: Row, value: float | None) -> str:
    """Format a value in the digits of its row; empty without one."""
    return "" if value is None else f"{value:,.{row.digits}f}"


_LEFT, _BAR, _STEP, _SCALE, _MOST = 330, 13, 38, 130, 3.5
"""Of the plot in pixels: the width of the texts, a bar's height, a row's height, and the width of 1 and its maximum."""
_STYLE = """<style>
 text { font: 13px system-ui, sans-serif; fill: #333 }
 .before { fill: #b8c1cc } .now { fill: #2563eb } .goal { stroke: #c2410c; stroke-width: 2 }
 @media (prefers-color-scheme: dark) { text { fill: #ddd } .before { fill: #5b6673 } .now { fill: #7aa7ff } }
</style>"""


def _plot(before: _Stored, now: _Stored) -> str:
    """Return bars of all rows as SVG, each in parts of its goal; less is better in every row."""
    rows = [(name, row) for name, row in ROWS.items() if name in before or name in now]
    height, width = len(rows) * _STEP + 40, _LEFT + int(_MOST * _SCALE) + 60
    goal = _LEFT + _SCALE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>Measured values in parts of their goals, before and now</title>",
        _STYLE,
        f'<text x="{goal}" y="16" text-anchor="middle">goal</text>',
        f'<rect class="before" x="{goal + 140}" y="5" width="20" height="{_BAR}"/>',
        f'<text x="{goal + 166}" y="16">before</text>',
        f'<rect class="now" x="{goal + 230}" y="5" width="20" height="{_BAR}"/>',
        f'<text x="{goal + 256}" y="16">now</text>',
    ]
    for position, (name, row) in enumerate(rows):
        top = 26 + position * _STEP
        parts.append(f'<text x="{_LEFT - 10}" y="{top + 17}" text-anchor="end">{escape(row.text)}</text>')
        for offset, kind, stored in ((0, "before", before), (_BAR + 1, "now", now)):
            if name in stored:
                value = stored[name]["portal"]
                of_goal = row.goal / value if row.is_minimum else value / row.goal
                length = min(of_goal, _MOST) * _SCALE
                y = top + offset
                parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{length:.0f}" height="{_BAR}"/>')
                parts.append(f'<text x="{_LEFT + length + 5:.0f}" y="{y + 11}">{number(row, value)}</text>')
    parts.append(f'<line class="goal" x1="{goal}" x2="{goal}" y1="20" y2="{height - 10}"/>')
    return "\n".join([*parts, "</svg>", ""])
