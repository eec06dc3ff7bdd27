"""Mark messages for translation; portal/i18n.py translates them when they are shown."""

from dataclasses import dataclass


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for a string that is translated later
    """Mark a string for translation; it is translated when it is shown."""
    return text


@dataclass(frozen=True)
class Plural:
    """A message with singular and plural, selected by the value `num`."""

    singular: str
    plural: str


def NN_(singular: str, plural: str) -> Plural:  # noqa: N802 - as N_
    """Mark a message with singular and plural for translation; other languages may have more forms."""
    return Plural(singular, plural)


Message = str | Plural
"""A message in English; portal/i18n.py translates it."""
