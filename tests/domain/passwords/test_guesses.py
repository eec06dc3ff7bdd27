"""Passwords that are too easy to guess, and the work to find that out."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from zxcvbn import matching
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from portal.domain.errors import Refused
from portal.domain.passwords.policy import MAX_LENGTH
from tests.domain.passwords.checking import EIGHT_EMOJI, check, reason_against

COMMON = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 8][:50]


TOO_EASY = "This password is too easy to guess"


ONE_OF_THE_MOST_COMMON = f"{TOO_EASY}: it is one of the most common ones. Choose one that others do not use."


EASY = f"{TOO_EASY}. Choose a longer one, for example of several unusual words."


MADE_OF_YOURSELF = (
    f"{TOO_EASY}: it is made of your name or address, or of the name of this service. "
    "Choose one that says nothing about you."
)


@pytest.mark.parametrize("password", COMMON)
def test_a_common_password_is_refused_as_common(password: str) -> None:
    assert reason_against(password) in (ONE_OF_THE_MOST_COMMON, EASY)


def test_nearly_all_common_passwords_are_called_common() -> None:
    # The others are described as what they are: keyboard rows, repetitions, dates.
    assert sum(reason_against(password) == ONE_OF_THE_MOST_COMMON for password in COMMON) > 25


@pytest.mark.parametrize(
    "password", ["Password1!", "P4ssw0rd123", "qwertyuiop", "aaaaaaaaaaaa", "20250101", "abcdefgh1234"]
)
def test_a_password_that_meets_composition_rules_may_still_be_too_easy(password: str) -> None:
    assert reason_against(password) in (ONE_OF_THE_MOST_COMMON, EASY)


@pytest.mark.parametrize(
    "password",
    [
        "heslo123",
        "Heslo2026",
        "milacek1",
        "zuzana123",
        "Jirka1234",
        "babi\u010dka123",
        "kocka2026",
        "Ko\u010di\u010dka123",
        "qwertzuiop",
        "leto2026",
        "L\u00e9to2026!",
        "Prosinec2025",
        "Praha2024!!",
        "summer2026",
        "Summer2026!",
        "welcome2026",
        "!!password!!",
        "correct horse battery staple",
        "CorrectHorseBatteryStaple",
        "Tr0ub4dor&3",
    ],
)
def test_a_common_password_in_any_language_of_the_portal_is_refused_as_common(password: str) -> None:
    assert reason_against(password) == ONE_OF_THE_MOST_COMMON


@pytest.mark.parametrize("password", ["ondrej123", "Novakova1", "zahrada1", "\u010derven\u00fd5"])
def test_a_word_of_another_language_is_as_easy_as_an_english_one(password: str) -> None:
    assert reason_against(password) in (EASY, ONE_OF_THE_MOST_COMMON)


@pytest.mark.parametrize(
    ("password", "is_strong"),
    [
        ("xq7Rv#2k", False),
        ("kolostrom77", False),
        ("horse battery", False),
        ("CorrectHorseBatteryStaple1", False),
        ("xq7Rv#2k9Lw", True),
        ("brisk otter lantern", True),
        ("mesto kolo strom", True),
        (EIGHT_EMOJI + EIGHT_EMOJI[3:6], True),
    ],
)
def test_only_a_password_that_resists_offline_guessing_is_strong(password: str, is_strong: bool) -> None:
    assert check(password) is is_strong


@pytest.mark.parametrize(
    "password",
    [
        "jana.novotna-svobodova",
        "jana.novotna-svobodova1",
        "123jana.novotna-svobodova",
        "Jana.Novotna-Svobodova!!",
        "jana.novotna-svobodova@example.com",
        "JanaJana",
        "jana1234",
        "SvobodovaJana",
        "Novotn\u00e1 Svobodov\u00e1",
        "novotn\u00e11990",
        "Hedgehog Books",
        "hedgehogbooks1",
        "hedgehog123",
    ],
)
def test_a_password_made_of_the_customers_name_address_or_shop_is_refused_as_personal(password: str) -> None:
    assert reason_against(password) == MADE_OF_YOURSELF


def test_personal_words_of_one_customer_do_not_apply_to_another() -> None:
    check("svobodova gr\u00e9e", personal=("eve@example.com", None, None))


@pytest.mark.parametrize(
    "password",
    [
        "brisk otter lantern",
        "all lower case with spaces",
        "p\u0159\u00edli\u0161 \u017elu\u0165ou\u010dk\u00fd k\u016f\u0148",
        "\u0441\u0438\u043d\u0438\u0439 \u0442\u0440\u0430\u043c\u0432\u0430\u0439 \u043f\u043e\u0435\u0442",
        EIGHT_EMOJI,
        "  leading and trailing count  ",
        "xq7Rv#2k",
        "jana likes brisk otters",
        "tab\tand\nline otters",
    ],
)
def test_a_passphrase_of_any_characters_is_accepted(password: str) -> None:
    check(password)


@pytest.mark.parametrize(
    "password",
    [
        "password1" * 8,
        "basketball" * 7,
        "basketball" * 25,
        "jana.novotna-svobodova@example.com" * 3,
        "x" + "jana.novotna-svobodova" * 5,
        "".join(map(chr, range(0x100, 0x180))),
        # Easy at the beginning, or up to the ninth sign that may stand for a letter.
        "a" * 64 + "brisk otter lantern",
        "qwertyuiop" * 6 + "qwer" + "brisk otter lantern",
        "12345678" + "9 brisk otter lantern",
    ],
)
def test_a_long_password_that_is_easy_or_begins_with_an_easy_one_is_refused(password: str) -> None:
    assert reason_against(password) in (ONE_OF_THE_MOST_COMMON, EASY, MADE_OF_YOURSELF)


@pytest.mark.parametrize("password", ["brisk otter lantern " * 3 + "!", "xq7Rv#2k" + "basketball" * 6])
def test_a_long_password_that_repeats_something_good_is_accepted(password: str) -> None:
    check(password)


def test_a_password_is_compared_with_the_words_of_its_own_customer_only() -> None:
    # zxcvbn stores the personal words of the current password in a dictionary of the whole process.
    names = ["quillobar", "marzipetto", "vondelaker", "brixatoru"]

    def reason(name: str, password: str) -> str | None:
        try:
            check(password, personal=(name,))
        except Refused as refusal:
            return refusal.in_english
        return None

    def judge(number: int) -> set[tuple[bool, str | None]]:
        own, other = names[number], names[number - 1]
        return {
            result for _ in range(50) for result in [(True, reason(own, own + "x")), (False, reason(own, other + "x"))]
        }

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(len(names)) as pool:
            results = set().union(*pool.map(judge, range(len(names))))
    finally:
        sys.setswitchinterval(interval)
    assert results == {(True, MADE_OF_YOURSELF), (False, None)}


WORST = {
    "signs": "+1679<{|",
    "all signs": "4@8({[<369&#!1|0$5+7%2",
    "signs and words": "croatiarabbit||9|9+<6s1|1{{7911",
    "signs and repeats": "1|22Z+a 1$ |73wo1i1Z223a1$15o2+5o5|1",
    "one character": "a",
    "digits": "1112198711122",
    "dates": "1.1.911-1-91",
    "walk": "qWQwQw",
}
"""The slowest inputs for zxcvbn that a random search has found."""


@pytest.mark.parametrize("name", WORST)
@pytest.mark.parametrize("length", [24, 64, MAX_LENGTH])
def test_the_work_to_judge_a_password_is_bounded(name: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    look_up = matching.dictionary_match

    def noted(text: str, *arguments: Any, **options: Any) -> Any:
        read.append(text)
        return look_up(text, *arguments, **options)

    monkeypatch.setattr(matching, "dictionary_match", noted)
    with suppress(Refused):
        check((WORST[name] * MAX_LENGTH)[:length], personal=["a b" * 300] * 3)
    assert max(map(len, read)) <= 64
    assert sum(len(text) ** 2 for text in read) < 100_000
