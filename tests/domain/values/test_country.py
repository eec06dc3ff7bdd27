"""Countries are codes of ISO 3166-1."""

import string

import pytest

from portal.domain.values.country import parse_country
from portal.domain.values.invalid import InvalidValue


@pytest.mark.parametrize("text", ["CZ", "cz", " Cz "])
def test_a_country_is_two_uppercase_letters(text: str) -> None:
    assert parse_country(text) == "CZ"


@pytest.mark.parametrize(
    "text", ["", "C", "CZE", "203", "UK", "EU", "XK", "XX", "ZZ", "\u010cR", "C Z", "Czechia", "\u0131t", "\u00df"]
)
def test_a_code_outside_iso_3166_1_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="two-letter"):
        parse_country(text)


def test_every_country_of_iso_3166_1_is_known() -> None:
    letters = string.ascii_uppercase
    known = [first + second for first in letters for second in letters if is_country(first + second)]
    assert len(known) == 249


def is_country(text: str) -> bool:
    try:
        return parse_country(text) == text
    except InvalidValue:
        return False
