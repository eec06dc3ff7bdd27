"""Estimate whether a password is easy to guess, by zxcvbn's dictionaries and patterns, at a bounded cost.

zxcvbn describes a password as a sequence of matches (words, keyboard walks, repeats, dates, ...) and counts the guesses
that the cheapest sequence takes. It looks at every part of the text under every reading of its signs as letters, and at
every sequence: a text made for it takes 0.45 s of CPU at 64 characters. But it never counts a sequence of three matches
as fewer than 10**8 guesses (scoring.MIN_GUESSES_BEFORE_GROWING_SEQUENCE), and only what takes fewer than EASY_GUESSES
is easy. So a password is easy if and only if one match covers it, or two that touch; and these begin at its first
character or end at its last. Only such matches are looked for here. The verdict is the one of zxcvbn, and nothing is
shared between two passwords that are judged at once.

The longest time that was found for a password and three names made for it is 11 ms of CPU on a busy machine, by random
search with hill climbing over signs read as letters, repeats of repeats, dates, digits, keyboard walks, capitals and
personal words, at lengths up to 256.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import factorial
from typing import Any

from zxcvbn import matching, scoring
from zxcvbn.frequency_lists import FREQUENCY_LISTS

EASY_GUESSES = 10**6
"""zxcvbn's own bound between "very guessable" and what withstands throttled guessing over a network."""
_MOST_SIGNS = 8
"""zxcvbn reads signs as the letters they may stand for, in every combination: 64 of them for eight signs."""
_SIGNS = frozenset(sign for signs in matching.L33T_TABLE.values() for sign in signs)
_JUDGED_LENGTH = 256
"""Characters. What is no longer than a beginning is judged with its signs read as letters, too."""
_BEGINNING_LENGTH = 64
_LISTS = {name: matching.RANKED_DICTIONARIES[name] for name in FREQUENCY_LISTS}
_LISTED = frozenset().union(*_LISTS.values())
_LONGEST_WORD = max(map(len, _LISTED))
_LONGEST_DATE = 10
_LONGEST_BRUTE_FORCE = 5
"""Of six characters or more that are in no pattern there are EASY_GUESSES."""
_MOST_TURNS = 9
"""A keyboard walk that turns more often takes EASY_GUESSES and more; to count how many is what takes long."""
_GREEDY, _LAZY, _LAZY_WHOLE = (re.compile(pattern) for pattern in (r"(.+)\1+", r"(.+?)\1+", r"^(.+?)\1+$"))

Match = dict[str, Any]
"""As zxcvbn describes it: pattern, token, the indices i and j of its first and last character, and more by pattern."""
_Cheapest = tuple[Decimal, list[Match]]


@dataclass(frozen=True)
class _Words:
    """What belongs to the customer, beside zxcvbn's own lists."""

    ranks: Mapping[str, int]
    longest: int
    """Characters; no word of either is longer."""


def easy_guess(password: str, personal: Collection[str]) -> list[Match] | None:
    """Return the one or two matches that make a password easy to guess; None when it takes EASY_GUESSES or more.

    `personal` are words, the most likely first, that whoever guesses knows to belong to the customer. A long password
    is judged as a whole, and by its beginning: neither may be easy.
    """
    ranks = matching.build_ranked_dict(word.lower() for word in personal if len(word) <= _BEGINNING_LENGTH)
    words = _Words(ranks, max([_LONGEST_WORD, *map(len, ranks)]))
    password = password[:_JUDGED_LENGTH]
    for text in dict.fromkeys((_beginning(password), password)):
        if cheapest := _cheapest(text, words):
            return cheapest[1]
    return None


def _beginning(password: str) -> str:
    """Return what comes before the 65th character, and before the ninth sign that may stand for a letter."""
    for length in range(min(len(password), _BEGINNING_LENGTH)):
        if len(_SIGNS.intersection(password[: length + 1])) > _MOST_SIGNS:
            return password[:length]
    return password[:_BEGINNING_LENGTH]


def _cheapest(text: str, words: _Words) -> _Cheapest | None:
    """Return the cheapest sequence for a text, if it takes fewer than EASY_GUESSES."""
    last = len(text) - 1
    heads: dict[int, tuple[Decimal, Match]] = {}
    tails: dict[int, tuple[Decimal, Match]] = {}
    for match in _outer_matches(text, words):
        guesses = scoring.estimate_guesses(match, text)  # type: ignore[arg-type] # the stubs know no brute force
        if match["i"] == 0 and (match["j"] not in heads or guesses < heads[match["j"]][0]):
            heads[match["j"]] = guesses, match
        if match["j"] == last and (match["i"] not in tails or guesses < tails[match["i"]][0]):
            tails[match["i"]] = guesses, match
    sequences: list[_Cheapest] = []
    for end, (guesses, match) in heads.items():
        if end == last:
            sequences.append((_total(guesses, 1), [match]))
        elif end + 1 in tails:
            more, second = tails[end + 1]
            sequences.append((_total(guesses * more, 2), [match, second]))
    cheapest = min(sequences, key=lambda sequence: sequence[0], default=None)
    return cheapest if cheapest and cheapest[0] < EASY_GUESSES else None


def _total(product: Decimal, length: int) -> Decimal:
    """How zxcvbn counts a sequence (scoring.most_guessable_match_sequence)."""
    return factorial(length) * product + Decimal(scoring.MIN_GUESSES_BEFORE_GROWING_SEQUENCE) ** (length - 1)


def _outer_matches(text: str, words: _Words) -> Iterator[Match]:
    """Find all matches at the beginning and at the end of a text that may be part of an easy sequence."""
    last = len(text) - 1
    yield from _brute_force(text)
    yield from _dictionary_matches(text, words)
    yield from _repeats(text, words)
    found: list[Any] = [*matching.sequence_match(text), *matching.regex_match(text)]
    found += [match for match in matching.spatial_match(text) if match["turns"] <= _MOST_TURNS]
    found += matching.date_match(text[:_LONGEST_DATE])
    found += _moved(matching.date_match(text[-_LONGEST_DATE:]), max(len(text) - _LONGEST_DATE, 0))
    yield from (match for match in found if match["i"] == 0 or match["j"] == last)


def _moved(matches: Iterable[Any], by: int) -> Iterator[Match]:
    return ({**match, "i": match["i"] + by, "j": match["j"] + by} for match in matches)


def _brute_force(text: str) -> Iterator[Match]:
    for length in range(1, min(len(text), _LONGEST_BRUTE_FORCE) + 1):
        for begin in {0, len(text) - length}:
            yield {"pattern": "bruteforce", **_place(text, begin, begin + length)}


def _dictionary_matches(text: str, words: _Words) -> Iterator[Match]:
    """Find words in a text as it stands, backwards, and with its signs read as letters."""
    for begin, end, word in _outer_words(text, words):
        yield from ({**found, **_place(text, begin, end)} for found in _look_up(word, words))
    for begin, end, word in _outer_words(text[::-1], words):
        place = _place(text, len(text) - end, len(text) - begin)
        yield from ({**found, **place, "reversed": True} for found in _look_up(word, words))
    read: set[tuple[int, int, str]] = set()
    for letters in _readings(text):
        for begin, end, word in _outer_words(matching.translate(text, letters), words):
            place = _place(text, begin, end)
            if end - begin == 1 or word == place["token"].lower() or (begin, end, word) in read:
                continue
            read.add((begin, end, word))  # another reading differs in signs that this part does not hold
            used = {sign: letter for sign, letter in letters.items() if sign in place["token"]}
            yield from ({**found, **place, "l33t": True, "sub": used} for found in _look_up(word, words))


def _readings(text: str) -> list[dict[str, str]]:
    """List what the signs of a text may stand for together; nothing for a text that holds more than a beginning."""
    if _beginning(text) != text:
        return []
    table = matching.relevant_l33t_subtable(text, matching.L33T_TABLE)
    return [letters for letters in matching.enumerate_l33t_subs(table) if letters]


def _outer_words(text: str, words: _Words) -> list[tuple[int, int, str]]:
    """List the words that a text begins or ends with, in lower case, and where they stand."""
    text, length = text.lower(), len(text)
    sizes = range(1, min(length, words.longest) + 1)
    heads = [(0, size, text[:size]) for size in sizes]
    tails = [(length - size, length, text[length - size :]) for size in sizes]
    return [part for part in heads + tails if part[2] in _LISTED or part[2] in words.ranks]


def _look_up(word: str, words: _Words) -> Iterator[Match]:
    for name, ranked in (*_LISTS.items(), ("user_inputs", words.ranks)):
        if word in ranked:
            yield {"pattern": "dictionary", "matched_word": word, "rank": ranked[word], "dictionary_name": name}


def _repeats(text: str, words: _Words) -> Iterator[Match]:
    """Find repeats as zxcvbn does (matching.repeat_match), but judge those at the beginning and the end alone."""
    begin = 0
    while greedy := _GREEDY.search(text, begin):
        lazy = _LAZY.search(text, begin)
        if lazy is None or len(greedy[0]) > len(lazy[0]):
            repeat, whole = greedy, _LAZY_WHOLE.match(greedy[0])
            base = whole[1] if whole else greedy[1]
        else:
            repeat, base = lazy, lazy[1]
        begin = repeat.end()
        if (repeat.start() == 0 or begin == len(text)) and (cheapest := _cheapest(base, words)):
            place = _place(text, repeat.start(), begin)
            count = len(repeat[0]) / len(base)
            yield {"pattern": "repeat", **place, "base_guesses": cheapest[0], "repeat_count": count}


def _place(text: str, begin: int, end: int) -> Match:
    return {"token": text[begin:end], "i": begin, "j": end - 1}
