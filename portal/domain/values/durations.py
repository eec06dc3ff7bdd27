"""Parse durations such as "3h 20m" into a timedelta."""

import re
from datetime import timedelta
from decimal import Decimal

from portal.domain.values.text import cleaned

MAX_LENGTH = 64

_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}
_TERM = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([^\W\d_]*)")
_BETWEEN = re.compile(r"[\s,]*")
_MICROSECOND = timedelta(microseconds=1)

SHORTEST_EXPIRATION = timedelta(minutes=1)


class InvalidDuration(ValueError):
    """The text is no duration. The message is the problem, as the predicate of a sentence."""


def parse_duration(text: str) -> timedelta:
    """Return the duration of a text such as "3h 20m", "1.5 hours" or "2d,4h"; always positive.

    One or more terms of a number and a unit (s, m, h, d, w and their longer names, case-insensitive), in any order,
    with optional white space and commas between them. Raises InvalidDuration for anything else (docs/api.md#durations).
    """
    if len(text) > MAX_LENGTH:
        raise InvalidDuration(f"is longer than {MAX_LENGTH} characters")
    text = cleaned(text)
    if not text:
        raise InvalidDuration("is empty")
    total = Decimal(0)
    seen: set[timedelta] = set()
    position = 0
    while position < len(text):
        unit, amount, position = _read_term(text, position)
        if unit in seen:
            raise InvalidDuration("names a unit twice")
        seen.add(unit)
        total += amount * (unit // _MICROSECOND)
        if position < len(text):
            position = _end_of_gap(text, position)
    return _as_timedelta(total)


def parse_expiration(text: str, longest: timedelta) -> timedelta:
    """Return the lifetime that a caller wants for a link, from one minute to `longest`; raises InvalidDuration."""
    duration = parse_duration(text)
    if duration < SHORTEST_EXPIRATION:
        raise InvalidDuration("is shorter than 1 minute")
    if duration > longest:
        raise InvalidDuration(f"is longer than {_in_units(longest)}")
    return duration


def _in_units(duration: timedelta) -> str:
    """Format a duration in its largest units: "1d", "1h 30m"."""
    terms = []
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m")):
        amount, duration = divmod(duration, unit)
        terms += [f"{amount}{name}"] if amount else []
    seconds = duration.total_seconds()
    return " ".join(terms + ([f"{seconds:g}s"] if seconds else []))


def _read_term(text: str, position: int) -> tuple[timedelta, Decimal, int]:
    term = _TERM.match(text, position)
    if term is None:
        raise InvalidDuration(f"has no number where one is expected, at {text[position:][:10]!r}")
    number, name = term.groups()
    if not name:
        raise InvalidDuration(f"has no unit after {number}; known are s, m, h, d and w")
    unit = _UNITS.get(name.lower()) if name.isascii() else None
    if unit is None:
        raise InvalidDuration(f"has an unknown unit {name!r}; known are s, m, h, d and w")
    return unit, Decimal(number), term.end()


def _end_of_gap(text: str, position: int) -> int:
    gap = _BETWEEN.match(text, position)
    end = gap.end() if gap else position
    if end == len(text):  # the text is stripped, so the rest is a comma
        raise InvalidDuration("ends with a comma")
    return end


def _as_timedelta(microseconds: Decimal) -> timedelta:
    try:
        duration = timedelta(microseconds=int(microseconds))
    except OverflowError:
        raise InvalidDuration("is too long") from None
    if not duration:
        raise InvalidDuration("is zero")
    return duration
