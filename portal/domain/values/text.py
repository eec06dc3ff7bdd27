"""Check and clean free text."""

import unicodedata

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, lone surrogates, line and paragraph separators."""

_DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212")


def is_plain(text: str) -> bool:
    """Return whether a text is a single line that is safe to store and to write to a header or terminal."""
    if text.isprintable():
        return True
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def without_separators(text: str) -> str:
    """Remove white space, dashes and invisible characters, which get into a code when it is copied."""
    return "".join(
        character for character in text if unicodedata.category(character)[0] not in "ZC" and character not in _DASHES
    )
