"""Check new passwords by the password policy (NIST SP 800-63B-4, 3.1.1.2)."""

import unicodedata
from collections.abc import Iterable

from portal.domain.errors import Failure, Refused
from portal.domain.messages import N_, NN_, Message
from portal.domain.passwords.breached import BreachedPasswords

MAX_LENGTH = 256
"""Characters, after normalisation."""
MAX_RAW_LENGTH = 4 * MAX_LENGTH
"""Code points before normalisation. One composed character has at most four, so a longer text is too long anyway."""
_TOO_LONG = NN_("The password can have at most %(num)d character.", "The password can have at most %(num)d characters.")
_TOO_SHORT = NN_("The password needs at least %(num)d character.", "The password needs at least %(num)d characters.")
_BREACHED = N_(
    "This password is known from a data breach of another service, so attackers try it early. Choose another one."
)


class PasswordTooLong(ValueError):
    """The password has more than MAX_LENGTH characters."""


def normalised(password: str) -> str:
    """Return the form that is counted, checked and hashed: NFC, so that "é" is one character however it was typed.

    (NIST SP 800-63B-4, 3.1.1.2.) Raises PasswordTooLong. The raw length is checked first, because the time of NFC grows
    with the square of a run of combining marks: 60,000 bytes of them take two seconds, MAX_RAW_LENGTH of them 2 ms.
    """
    if len(password) <= MAX_RAW_LENGTH:
        text = unicodedata.normalize("NFC", password)
        if len(text) <= MAX_LENGTH:
            return text
    raise PasswordTooLong


def check_new_password(
    password: str,
    failure: Failure,
    *,
    min_length: int,
    personal: Iterable[str | None],
    breached: BreachedPasswords,
) -> bool:
    """Raise Refused(failure), with the reason as its detail, for a new password that the policy rejects.

    The length is counted in characters after NFC; there are no rules about kinds of characters (NIST SP 800-63B-4,
    3.1.1.2). Common passwords, those made of the customer's name or address (`personal`) and breached ones are
    rejected, offline. Returns whether the password is strong.
    """
    detail: Message | None
    values: dict[str, int] = {}
    is_strong = False
    try:
        password = normalised(password)
    except PasswordTooLong:
        detail, values = _TOO_LONG, {"num": MAX_LENGTH}
    else:
        if len(password) < min_length:
            detail, values = _TOO_SHORT, {"num": min_length}
        else:
            # zxcvbn's word lists take 12 MiB, and many processes never check a new password.
            from portal.domain.passwords.guesses import judged

            detail, is_strong = judged(password, personal)
            if detail is None and breached.includes(password):
                detail = _BREACHED
    if detail:
        raise Refused(failure, detail=detail, values=values, field="password")
    return is_strong
