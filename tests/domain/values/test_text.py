"""Plain text, and the cleaning of pasted text."""

import pytest

from portal.domain.values.text import cleaned, is_plain, without_separators


@pytest.mark.parametrize(
    "text", ["", "Jana Nov\u00e1kov\u00e1", "\U0001f469\u200d\U0001f52c", "a\u00a0b", "\u0645\u200f"]
)
def test_names_of_every_script_are_plain(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize("character", ["\x00", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
def test_characters_that_break_a_line_a_header_or_a_database_are_not_plain(character: str) -> None:
    assert not is_plain(f"Jana{character}Nov\u00e1kov\u00e1")


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("\t Ada \r\n", "Ada"),
        ("\ufeffAda\u200b", "Ada"),
        ("\u202dAda Lovelace\u202c", "Ada Lovelace"),
        ("\u2067\u05e2\u05d3\u05d4\u2069", "\u05e2\u05d3\u05d4"),
        ("Love\u00adlace", "Lovelace"),
        ("Ada\u00a0Lovelace", "Ada Lovelace"),
        ("Ada\tLovelace", "Ada Lovelace"),
        ("\u3000Ada\u2003Lovelace\u3000", "Ada Lovelace"),
        ("\u200b\u00a0\u200d", ""),
        # Between two letters, a joiner distinguishes words.
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc\u200c", "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc"),
        ("\U0001f469\u200d\U0001f52c", "\U0001f469\u200d\U0001f52c"),
        ("a\nb\x00", "a\nb\x00"),
    ],
)
def test_a_pasted_text_is_cleaned(pasted: str, meant: str) -> None:
    assert cleaned(pasted) == meant


@pytest.mark.parametrize(
    "text",
    [
        "745281",
        " 745 281\n",
        "745\u00a0281",
        "745\u2009281",
        "745-281",
        "745\u2011281",
        "745\t281",
        "\u202d745281\u202c",
        "\uff17\uff14\uff15\u3000\uff12\uff18\uff11",  # typed with a Japanese keyboard
        "\uff17\uff14\uff15\uff0d\uff12\uff18\uff11",
    ],
)
def test_a_pasted_code_is_cleaned(text: str) -> None:
    assert without_separators(text) == "745281"
