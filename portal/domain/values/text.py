"""Check and clean free text."""

import unicodedata

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, lone surrogates, line and paragraph separators."""

_INVISIBLE = (0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
"""Soft hyphen, zero-width space, bidi controls, byte order mark and the like: copied along, never typed."""
_BLANKS = "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_CLEANED: dict[int, str | None] = dict.fromkeys(_INVISIBLE) | dict.fromkeys(map(ord, _BLANKS), " ")
_EDGES = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200c\u200d"
"""White space, and the joiners, which only mean something between two letters."""

_DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212")


def is_plain(text: str) -> bool:
    """Return whether a text is a single line that is safe to store and to write to a header or terminal."""
    if text.isprintable():
        return True
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def cleaned(text: str) -> str:
    """Return a pasted text as it was meant: without invisible characters, and without white space around it.

    Tabs and no-break spaces inside it become spaces. Every field that people fill in is read through this, but for
    passwords, in which each character counts.
    """
    if text.isascii() and text.isprintable():  # as most are: only spaces can be around it
        return text.strip()
    return text.translate(_CLEANED).strip(_EDGES)


def without_separators(text: str) -> str:
    """Remove white space, dashes and invisible characters, which get into a code when it is copied.

    Full-width characters, which East Asian keyboards type, become the usual ones (NFKC).
    """
    return "".join(
        character
        for character in unicodedata.normalize("NFKC", text)
        if unicodedata.category(character)[0] not in "ZC" and character not in _DASHES
    )
