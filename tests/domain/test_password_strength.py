"""The estimate of how easy a password is to guess: zxcvbn's own verdict, at a bounded cost."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from zxcvbn import matching, scoring, zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from portal.domain import password_strength
from portal.domain.errors import Failure, Refused
from portal.domain.models import STRING_LENGTH
from portal.domain.password_strength import EASY_GUESSES, easy_guess
from portal.domain.passwords import MAX_LENGTH, refuse_unfit

PERSONAL = ["jana.novotna-svobodova@example.com", "jana.novotna-svobodova", "hedgehog books", "svobodov\u00e1", "jana"]
PIECES = [
    *FREQUENCY_LISTS["passwords"][:3000:10],
    *FREQUENCY_LISTS["english_wikipedia"][:3000:10],
    *FREQUENCY_LISTS["surnames"][:1000:10],
    *PERSONAL * 20,
    *["qwertz", "1qaz2wsx", "qwqwqwqwqwqwqw", "7894561230", "!QAZxsw2", "poiuy"] * 10,
    *["1991", "01.02.1993", "20250101", "1-1-91", "311299", "191999", "2015_06_04"] * 10,
    *["abcdef", "97531", "zyxw", "\u0430\u0431\u0432\u0433\u0434", "aaaa", "abab"] * 10,
    *["x", "#9", "q!\u00e9", "Rv 4", "-", "\n"] * 15,
]


def made_up(choose: random.Random) -> str:
    """What people make passwords of, and how they vary it."""
    signs = {letter: choose.choice(signs) for letter, signs in matching.L33T_TABLE.items()}
    ways: list[Callable[[str], str]] = [
        str,
        str,
        str.title,
        str.upper,
        lambda text: "".join(signs.get(letter, letter) for letter in text),
        lambda text: "".join(choose.choice([letter, letter.upper()]) for letter in text),
        lambda text: text[::-1],
        lambda text: text * choose.randint(2, 3),
    ]
    text = "".join(choose.choice(ways)(choose.choice(PIECES)) for _ in range(choose.choice([1, 1, 2, 2, 3])))
    return choose.choice([text, text, text, text * 2])[:40]


def test_the_verdict_and_its_reason_are_those_of_zxcvbn() -> None:
    choose = random.Random(1)  # noqa: S311
    verdicts = set()
    for _ in range(600):
        password = made_up(choose)
        if len(set(password) & set("0123456789!@$%()[]{}<>|+")) > 6:  # which takes zxcvbn too long
            continue
        whole = zxcvbn(password, user_inputs=PERSONAL)
        found = easy_guess(password, PERSONAL)
        verdicts.add(found is None)
        assert (found is not None) == (whole["guesses"] < EASY_GUESSES), password
        if found is not None:
            assert [described(match) for match in found] == [described(match) for match in whole["sequence"]], password
    assert verdicts == {True, False}


def described(match: Any) -> tuple[str, str]:
    return match["token"], match.get("dictionary_name") or match["pattern"]


@dataclass
class Work:
    """What is done for a password."""

    estimates: int = 0
    looked_up: int = 0
    read: int = 0
    """Characters, in all readings of signs as letters."""
    dates: list[int] = field(default_factory=list)
    walks: list[int] = field(default_factory=list)


class Counted(frozenset[str]):
    """A set of words that counts how often it is asked."""

    work: Work

    def __contains__(self, word: object) -> bool:
        self.work.looked_up += 1
        return super().__contains__(word)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Counts what zxcvbn's functions and dictionaries are asked from now on; what costs a square is never asked."""
    work = Work()
    listed = Counted(password_strength._LISTED)
    listed.work = work
    estimate, translate, dates, walks = (
        scoring.estimate_guesses,
        matching.translate,
        matching.date_match,
        scoring.spatial_guesses,
    )

    def estimated(match: Any, text: str) -> Any:
        work.estimates += 1
        return estimate(match, text)

    def translated(text: str, letters: Any) -> str:
        work.read += len(text)
        return translate(text, letters)

    def dated(text: str) -> Any:
        work.dates.append(len(text))
        return dates(text)

    def walked(match: Any) -> int:
        work.walks.append(match["turns"])
        return walks(match)

    monkeypatch.setattr(password_strength, "_LISTED", listed)
    monkeypatch.setattr(scoring, "estimate_guesses", estimated)
    monkeypatch.setattr(matching, "translate", translated)
    monkeypatch.setattr(matching, "date_match", dated)
    monkeypatch.setattr(scoring, "spatial_guesses", walked)
    for name in ("omnimatch", "dictionary_match", "l33t_match", "repeat_match"):
        monkeypatch.delattr(matching, name)
    monkeypatch.delattr(scoring, "most_guessable_match_sequence")
    return work


# The worst that a random search with hill climbing has found, and what zxcvbn itself takes longest for.
SIGNS = "+1679<{|"
WORST = {
    "signs": SIGNS,
    "all signs": "4@8({[<369&#!1|0$5+7%2",
    "signs and words": "croatiarabbit||9|9+<6s1|1{{7911",
    "signs, repeats of repeats": "+{1+7|+1{679|<oooooooooooo+{1+7|+1{679|<oooooooooooo",
    "one character": "a",
    "two characters": "ab",
    "digits": "1112198711122",
    "dates": "1.1.911-1-91",
    "walk with turns": "qw",
    "walk on a keypad": "121212345454",
    "walk with shifts": "qWQwQw",
    "no repeat": "abcacbabcbacabcacbacabcb",
    "capitals": "aA",
    "long in capitals": "\u0130\ufb03",
}


def words_of(text: str) -> str:
    """A name that is made of beginnings and ends of a text, as many as fit into a field."""
    read = {sign: letter for letter, signs in matching.L33T_TABLE.items() for sign in signs}
    plain = "".join(read.get(character, character) for character in text)
    parts = [part for size in range(3, 40) for part in (text[:size], plain[:size], plain[-size:], plain[:size][::-1])]
    return " ".join(parts)


@pytest.mark.parametrize("name", WORST)
@pytest.mark.parametrize("length", [32, 48, 64, MAX_LENGTH])
def test_no_password_takes_much_work(work: Work, name: str, length: int) -> None:
    password = (WORST[name] * MAX_LENGTH)[:length]
    names = [words_of(password[shift:]) for shift in range(3)]
    personal = ["jana@example.com", "Jana", "Quill", "Hedgehog Books", *names]
    assert all(len(name) > STRING_LENGTH for name in names)
    with suppress(Refused):
        refuse_unfit(password, Failure.PASSWORD_REFUSED, min_length=8, personal=personal)

    assert work.estimates < 500
    assert work.looked_up < 30_000
    assert work.read < 20_000
    assert max(work.dates, default=0) <= 10
    assert max(work.walks, default=0) <= 9
