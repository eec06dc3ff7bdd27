"""Durations as people write them (docs/api.md#durations)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.values.durations import MAX_LENGTH, InvalidDuration, parse_duration, parse_expiration

UNITS = {
    timedelta(seconds=1): ("s", "sec", "secs", "second", "seconds"),
    timedelta(minutes=1): ("m", "min", "mins", "minute", "minutes"),
    timedelta(hours=1): ("h", "hr", "hrs", "hour", "hours"),
    timedelta(days=1): ("d", "day", "days"),
    timedelta(weeks=1): ("w", "week", "weeks"),
}
NAMES = [(unit, name) for unit, names in UNITS.items() for name in names]


@pytest.mark.parametrize(("unit", "name"), NAMES)
def test_unit_names_are_case_insensitive(unit: timedelta, name: str) -> None:
    assert parse_duration(f"3{name}") == parse_duration(f"3 {name.upper()}") == 3 * unit


@pytest.mark.parametrize(
    ("text", "hours", "minutes"),
    [
        ("3h 20m", 3, 20),
        ("3h20m", 3, 20),
        ("20m 3h", 3, 20),
        ("3 hours, 20 minutes", 3, 20),
        ("3h,20m", 3, 20),
        ("  3h\t20m\n", 3, 20),
        ("1.5h", 1, 30),
        ("0.5h 0.5m", 0, 30.5),
        ("0h 5m", 0, 5),
        ("2D4H", 52, 0),
        ("007m", 0, 7),
        ("1w", 168, 0),
    ],
)
def test_terms_may_have_any_order_and_spacing(text: str, hours: float, minutes: float) -> None:
    assert parse_duration(text) == timedelta(hours=hours, minutes=minutes)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (" \t ", "is empty"),
        ("5", "has no unit after 5"),
        ("3h 20", "has no unit after 20"),
        ("1.5.5h", "has no unit after 1.5"),
        ("5 fortnights", "has an unknown unit 'fortnights'"),
        ("5y", "has an unknown unit 'y'"),
        ("5 \u017f", "has an unknown unit"),
        ("1h 2h", "names a unit twice"),
        ("1h 2 hours", "names a unit twice"),
        ("-5m", "has no number"),
        ("+5m", "has no number"),
        ("1h -5m", "has no number"),
        ("h", "has no number"),
        (".5h", "has no number"),
        ("5.h", "has no unit after 5"),
        (",5m", "has no number"),
        ("5m,", "ends with a comma"),
        ("0m", "is zero"),
        ("0h 0m", "is zero"),
        ("0.0000001s", "is zero"),
        ("1e3s", "has an unknown unit 'e'"),
        ("\uff13h", "has no number"),
        ("\u0663h", "has no number"),
        ("1h\x00", "has no number"),
        ("9999999999999w", "is too long"),
        ("9" * 60 + "s", "is too long"),
    ],
)
def test_an_invalid_duration_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(InvalidDuration) as refusal:
        parse_duration(text)
    assert str(refusal.value).startswith(problem)
    assert "\n" not in str(refusal.value)


def test_64_characters_are_accepted_and_65_refused() -> None:
    assert parse_duration(" " * (MAX_LENGTH - 2) + "1h") == timedelta(hours=1)
    with pytest.raises(InvalidDuration, match="longer than 64 characters"):
        parse_duration(" " * (MAX_LENGTH - 1) + "1h")
    with pytest.raises(InvalidDuration, match="longer than 64 characters"):
        parse_duration("1" * 50_000)


@st.composite
def written_durations(draw: st.DrawFn) -> tuple[str, timedelta]:
    units = draw(st.lists(st.sampled_from(list(UNITS)), unique=True, min_size=1, max_size=3))
    amounts = [draw(st.integers(1, 9999)) for _ in units]
    gap = draw(st.sampled_from(["", " ", ",", ", ", " , "]))
    space = draw(st.sampled_from(["", " "]))
    terms = [
        f"{amount}{space}{draw(st.sampled_from(UNITS[unit]))}" for amount, unit in zip(amounts, units, strict=True)
    ]
    return gap.join(terms), sum((a * u for a, u in zip(amounts, units, strict=True)), timedelta())


@given(written_durations())
def test_a_formatted_duration_parses_to_the_same_value(written: tuple[str, timedelta]) -> None:
    text, duration = written
    assert parse_duration(text) == duration
    assert parse_duration(text.upper()) == duration


@given(st.one_of(st.text(), st.text("0123456789.,+-e hms\u017f\u0663\x00", max_size=70)))
def test_any_text_is_a_positive_duration_or_refused(text: str) -> None:
    try:
        duration = parse_duration(text)
    except InvalidDuration:
        return
    assert duration > timedelta()


@pytest.mark.parametrize("text", ["1m", "60s", "0.5m 30s", "3h 20m", "1440 minutes", "1d"])
def test_a_link_lifetime_may_be_a_minute_up_to_the_maximum(text: str) -> None:
    assert parse_expiration(text, timedelta(days=1)) == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "longest", "problem"),
    [
        ("59s", timedelta(days=1), "is shorter than 1 minute"),
        ("0.999m", timedelta(days=1), "is shorter than 1 minute"),
        ("1d 1s", timedelta(days=1), "is longer than 1d"),
        ("2w", timedelta(hours=1.5), "is longer than 1h 30m"),
        ("1d", timedelta(days=1, seconds=-0.5), "is longer than 23h 59m 59.5s"),
        ("", timedelta(days=1), "is empty"),
        ("0m", timedelta(days=1), "is zero"),
    ],
)
def test_a_link_lifetime_out_of_bounds_is_refused_with_the_bound(text: str, longest: timedelta, problem: str) -> None:
    with pytest.raises(InvalidDuration) as refusal:
        parse_expiration(text, longest)
    assert str(refusal.value) == problem
