"""Text as it is kept: what people type, and what shops say of them."""

import unicodedata

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, lone surrogates, line and paragraph separators: no name or address holds one."""

_INVISIBLE = (0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
"""Soft hyphen, zero-width space, bidi controls, byte order mark and the like: copied along, never typed."""
_BLANKS = "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_CLEANED: dict[int, str | None] = dict.fromkeys(_INVISIBLE) | dict.fromkeys(map(ord, _BLANKS), " ")
_EDGES = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200c\u200d"
"""White space, and the joiners, which only mean something between two letters."""

_DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212")


def is_plain(text: str) -> bool:
    """Whether a text is one line that every database can store, and no header or terminal is broken by."""
    if text.isprintable():
        return True
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def cleaned(text: str) -> str:
    """Return a pasted text as it was meant: without invisible characters, and without white space around it.

    Tabs and no-break spaces inside it become spaces. Every field that people fill in is read through this, but for
    passwords, in which each character counts.
    """
    return text.translate(_CLEANED).strip(_EDGES)


def without_separators(text: str) -> str:
    """Drop white space, dashes and invisible characters, which come along when people copy a code."""
    return "".join(
        character for character in text if unicodedata.category(character)[0] not in "ZC" and character not in _DASHES
    )
