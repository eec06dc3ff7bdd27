"""Text as it is kept: what people type, and what shops say of them."""

import unicodedata

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, lone surrogates, line and paragraph separators: no name or address holds one."""

_DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212")


def is_plain(text: str) -> bool:
    """Whether a text is one line that every database can store, and no header or terminal is broken by."""
    if text.isprintable():
        return True
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def without_separators(text: str) -> str:
    """Drop white space, dashes and invisible characters, which come along when people copy a code."""
    return "".join(
        character for character in text if unicodedata.category(character)[0] not in "ZC" and character not in _DASHES
    )
