"""Messages for people, marked for the translators; whoever shows one translates it (portal/i18n.py)."""

from dataclasses import dataclass


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for a string that is translated later
    """Marks a string for the translators; whoever shows it translates it."""
    return text


@dataclass(frozen=True)
class Plural:
    """A message whose words depend on a number, which is its value `num`."""

    singular: str
    plural: str


def NN_(singular: str, plural: str) -> Plural:  # noqa: N802 - as N_
    """Marks a message with a number for the translators, who may need more forms than these two."""
    return Plural(singular, plural)


Message = str | Plural
"""What a page or a mail can say, in English; portal/i18n.py translates it."""
