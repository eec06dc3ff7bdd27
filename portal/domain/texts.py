"""Text as it is kept: what people type, and what shops say of them."""

import unicodedata

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, lone surrogates, line and paragraph separators: no name or address holds one."""


def is_plain(text: str) -> bool:
    """Whether a text is one line that every database can store, and no header or terminal is broken by."""
    if text.isprintable():
        return True
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)
