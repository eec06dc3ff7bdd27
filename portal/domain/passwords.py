"""Passwords: what is accepted for a new one."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from portal.domain.errors import N_, NN_, Failure, Message, Refused
from portal.domain.models import STRING_LENGTH
from portal.domain.password_strength import easy_guess

MAX_LENGTH = 256
"""Characters, after normalisation."""
MAX_RAW_LENGTH = 4 * MAX_LENGTH
"""Code points before it. One composed character is at most four of them, so a longer text is too long in any case."""
_TOO_LONG = NN_("The password can have at most %(num)d character.", "The password can have at most %(num)d characters.")
_TOO_SHORT = NN_("The password needs at least %(num)d character.", "The password needs at least %(num)d characters.")
_PERSONAL = N_(
    "This password is too easy to guess: it is made of your name or address, or of the name of this service. "
    "Choose one that says nothing about you."
)
_COMMON = N_(
    "This password is too easy to guess: it is one of the most common ones. Choose one that others do not use."
)
_EASY = N_("This password is too easy to guess. Choose a longer one, for example of several unusual words.")


class PasswordTooLong(ValueError):
    """The password has more than MAX_LENGTH characters."""


def normalised(password: str) -> str:
    """Return the form that is counted, checked and hashed: NFC, so that "é" is one character however it was typed.

    (NIST SP 800-63B-4, 3.1.1.2.) Raises PasswordTooLong. The raw length is bounded first, because the cost of NFC grows
    with the square of a run of combining marks: 60,000 bytes of them take two seconds, MAX_RAW_LENGTH of them 2 ms.
    """
    if len(password) <= MAX_RAW_LENGTH:
        text = unicodedata.normalize("NFC", password)
        if len(text) <= MAX_LENGTH:
            return text
    raise PasswordTooLong


def refuse_unfit(password: str, failure: Failure, *, min_length: int, personal: Iterable[str | None]) -> None:
    """Raise Refused(failure), with the reason as its detail, for a new password that the policy does not accept.

    Length counts characters after NFC; there are no rules about kinds of characters (NIST SP 800-63B-4, 3.1.1.2).
    Common passwords and those made of the customer's own name or address (`personal`) are refused, offline.
    """
    detail: Message | None
    values: dict[str, Any] = {}
    try:
        password = normalised(password)
    except PasswordTooLong:
        detail, values = _TOO_LONG, {"num": MAX_LENGTH}
    else:
        if len(password) < min_length:
            detail, values = _TOO_SHORT, {"num": min_length}
        else:
            detail = _objection(password, personal)
    if detail:
        raise Refused(failure, detail=detail, values=values, field="password")


def _objection(password: str, personal: Iterable[str | None]) -> str | None:
    texts = [text[:STRING_LENGTH].casefold() for text in personal if text]
    words = sorted({word for text in texts for word in _words_of(text)}, key=len, reverse=True)
    rest = whole = password.casefold()
    for word in words:
        rest = rest.replace(word, "")
    if rest != whole and _weakness(rest, []):
        return _PERSONAL
    return _weakness(password, words)


def _words_of(text: str) -> set[str]:
    """A name or an address as a whole and in its parts: people take either for a password."""
    local = text.partition("@")[0]
    parts = "".join(c if c.isalnum() else " " for c in local).split()
    return {word for word in (text, local, *parts) if len(word) > 2}


def _weakness(password: str, personal: list[str]) -> str | None:
    """Why a password is easy to guess; None when it is not."""
    if not password:
        return _PERSONAL
    easy = easy_guess(password, personal)
    return _reason(easy) if easy else None


def _reason(sequence: Iterable[Mapping[str, Any]]) -> str:
    patterns = {match.get("dictionary_name") or match["pattern"] for match in sequence}
    if "user_inputs" in patterns:
        return _PERSONAL
    if "passwords" in patterns:
        return _COMMON
    return _EASY
