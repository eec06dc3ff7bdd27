"""Judge how easily a password is guessed, with zxcvbn; policy.py loads this module when the first one is judged."""

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from itertools import chain, zip_longest
from threading import Lock
from typing import Any

from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS
from zxcvbn.matching import L33T_TABLE, RANKED_DICTIONARIES, build_ranked_dict

from portal.domain.messages import N_
from portal.storage.models import STRING_LENGTH

_JUDGED_LENGTH, _JUDGED_SIGNS = 64, 4
_SHORT_LENGTH, _MOST_SIGNS = 32, 8
"""Limits on the input of zxcvbn: its time grows faster than the length, and with the number of different signs, because
it tries all combinations of the letters that they may stand for (l33t).

64 characters with up to 4 different signs, or 32 with up to 8. Within these limits the slowest password found by random
search with hill climbing (signs, repeats, dates, keyboard walks) takes 0.03 s of CPU; without them 0.45 s.
"""
_SIGNS = frozenset(sign for signs in L33T_TABLE.values() for sign in signs)
_zxcvbn_lock = Lock()
"""zxcvbn stores the personal words of the current password in a global dictionary."""
_EASY_GUESSES = 10**6
"""zxcvbn's threshold: fewer guesses are "very guessable", more withstand throttled online attacks."""
_STRONG_GUESSES = 10**10
"""zxcvbn's threshold of passwords that withstand an offline attack on the hash (its score 4)."""
_SIGN = r"[ -/:-@\[-`{-~]"
_SIGNS_AROUND = re.compile(rf"^({_SIGN})\1*|({_SIGN})\2*$")
"""Signs that people add around a word to satisfy a rule: "!" after it, or "***" on both sides."""
_YEARS = [str(year) for year in range(2050, 1899, -1)]
"""zxcvbn itself knows no years after 2019."""
_COMMON_PASSWORDS = "passwords.txt"
_PERSONAL = N_(
    "This password is too easy to guess: it is made of your name or address, or of the name of this service. "
    "Choose one that says nothing about you."
)
_COMMON = N_(
    "This password is too easy to guess: it is one of the most common ones. Choose one that others do not use."
)
_EASY = N_("This password is too easy to guess. Choose a longer one, for example of several unusual words.")


def _word_list(name: str) -> list[str]:
    lines = (files("portal") / "words" / name).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _interleaved(*lists: list[str]) -> list[str]:
    """Make one list of several, each ordered by frequency."""
    return [word for word in dict.fromkeys(chain(*zip_longest(*lists))) if word]


def _ranked_lists() -> dict[str, dict[str, int]]:
    """Return two lists for zxcvbn in place of its six: passwords, and words, each with the best of its ranks.

    They judge as the six would, since a word counts by its best rank, in two thirds of the time. All of zxcvbn's are
    English, so the words of the portal's other languages are added (portal/words).
    """
    lists = dict(FREQUENCY_LISTS)
    passwords = _interleaved(lists.pop("passwords"), _word_list(_COMMON_PASSWORDS))
    names = sorted(found.name for found in (files("portal") / "words").iterdir() if found.name != _COMMON_PASSWORDS)
    lists["us_tv_and_film"] = [*_YEARS, *_interleaved(lists["us_tv_and_film"], *map(_word_list, names))]
    words: dict[str, int] = {}
    for ranks in map(build_ranked_dict, lists.values()):
        words |= {word: min(rank, words.get(word, rank)) for word, rank in ranks.items()}
    return {"passwords": build_ranked_dict(passwords), "words": words}


RANKED_DICTIONARIES.clear()
RANKED_DICTIONARIES.update(_ranked_lists())


def judged(password: str, personal: Iterable[str | None]) -> tuple[str | None, bool]:
    """Return the reason to reject a password, or None, and whether it is strong."""
    texts = [text[:STRING_LENGTH].casefold() for text in personal if text]
    words = sorted({word for text in texts for word in _words_of(text)}, key=len, reverse=True)
    rest = whole = password.casefold()
    for word in words:
        rest = rest.replace(word, "")
    if rest != whole and (not rest or _analysed(rest, [])["guesses"] < _EASY_GUESSES):
        return _PERSONAL, False
    if not password:
        return _EASY, False
    if whole in RANKED_DICTIONARIES["passwords"]:  # however it is capitalised
        return _COMMON, False
    found = _analysed(password, words)
    if found["guesses"] < _EASY_GUESSES:
        return _reason(found["sequence"]), False
    return None, found["guesses"] >= _STRONG_GUESSES


def _words_of(text: str) -> set[str]:
    """Return a name or an address as a whole and in its parts; customers use either as a password."""
    local = text.partition("@")[0]
    parts = "".join(c if c.isalnum() else " " for c in local).split()
    return {word for word in (text, local, *parts) if len(word) > 2}


def _analysed(password: str, personal: list[str]) -> dict[str, Any]:
    """Return zxcvbn's analysis of the beginning of a password."""
    with _zxcvbn_lock:
        return dict(zxcvbn(_beginning(password), user_inputs=personal, max_length=_JUDGED_LENGTH))


def _beginning(password: str) -> str:
    """Return the part of a password that zxcvbn gets, without signs around it; of a repetition, two periods."""
    password = _SIGNS_AROUND.sub("", password) or password
    period = (password + password).index(password, 1)
    password = password[: 2 * period]
    signs: set[str] = set()
    for length, character in enumerate(password[:_JUDGED_LENGTH]):
        if character in _SIGNS:
            signs.add(character)
        if len(signs) > (_MOST_SIGNS if length < _SHORT_LENGTH else _JUDGED_SIGNS):
            return password[:length]
    return password[:_JUDGED_LENGTH]


def _reason(sequence: Iterable[Mapping[str, object]]) -> str:
    patterns = {match.get("dictionary_name") or match["pattern"] for match in sequence}
    if "user_inputs" in patterns:
        return _PERSONAL
    if "passwords" in patterns:
        return _COMMON
    return _EASY
