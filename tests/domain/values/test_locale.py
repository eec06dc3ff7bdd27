"""Language tags of BCP 47 are normalised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.values.invalid import InvalidValue
from portal.domain.values.locale import parse_locale
from portal.storage.models import LOCALE_LENGTH


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("cs", "cs"),
        ("CS", "cs"),
        (" en-gb ", "en-GB"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("SR-LATN", "sr-Latn"),
        ("es-419", "es-419"),
        ("de-ch-1996", "de-CH-1996"),
        ("sl-Rozaj-Biske", "sl-rozaj-biske"),
        ("zh-yue-HK", "zh-yue-HK"),
        ("en-us-u-CA-gregory", "en-US-u-ca-gregory"),
        ("en-a-Latn-x-CZ", "en-a-latn-x-cz"),
        ("gsw", "gsw"),
        ("DE-1A2B", "de-1a2b"),
    ],
)
def test_a_language_tag_is_normalised_in_case(text: str, tag: str) -> None:
    assert parse_locale(text) == tag
    assert parse_locale(tag) == tag


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c",
        "cs_CZ",
        "cs-",
        "-cs",
        "cs--CZ",
        "cs-C",
        "czech",
        "english",
        "en-GB\n-x",
        "x-own",
        "c\u0161",
        "1",
        "en-u",
        "en" + "-variant1" * 4,
    ],
    ids=ascii,
)
def test_an_invalid_language_tag_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="en-GB"):
        parse_locale(text)


def test_50_000_letters_are_refused_as_a_language_tag() -> None:
    with pytest.raises(InvalidValue):
        parse_locale("e" * 50_000)


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[a-z]{2,3}(-[A-Za-z0-9]{1,9}){0,5}", fullmatch=True)))
def test_parsing_a_language_tag_is_idempotent(text: str) -> None:
    try:
        tag = parse_locale(text)
    except InvalidValue:
        return
    assert len(tag) <= LOCALE_LENGTH
    assert parse_locale(tag) == tag
