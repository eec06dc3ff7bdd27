"""Which new passwords are accepted."""

import sys
import unicodedata

import pytest

from portal.domain.errors import Failure
from portal.domain.passwords.policy import MAX_LENGTH, MAX_RAW_LENGTH, PasswordTooLong, normalised
from tests.domain.instrumentation import normalised_lengths
from tests.domain.passwords.checking import EIGHT_EMOJI, check, reason_against
from tests.domain.scene import refused


@pytest.mark.parametrize(
    ("seven", "eight"),
    [
        ("xq7Rv#2", "xq7Rv#2k"),
        (EIGHT_EMOJI[:7], EIGHT_EMOJI),
        ("\u017elu\u0165\u016f\u010dk", "\u017elu\u0165\u016f\u010dk\u00fd"),
        # Each vowel is two code points, and one after NFC.
        ("xe\u0301qo\u0302vu\u0308", "xe\u0301qo\u0302vu\u0308zk"),
    ],
    ids=["letters", "emoji", "czech", "decomposed"],
)
def test_seven_characters_are_too_few_and_eight_are_enough(seven: str, eight: str) -> None:
    with refused(Failure.PASSWORD_REFUSED) as refusal:
        check(seven)
    assert refusal.value.in_english == "The password needs at least 8 characters."
    check(eight)


def test_the_minimum_is_a_setting() -> None:
    check("xq7Rv#2k9Lw!m4p", min_length=15)
    with refused(Failure.PASSWORD_REFUSED) as refusal:
        check("xq7Rv#2k9Lw!m4", min_length=15)
    assert refusal.value.values == {"num": 15}


def test_an_empty_password_is_refused_with_any_minimum() -> None:
    with refused(Failure.PASSWORD_REFUSED):
        check("", min_length=0)


def test_256_characters_are_accepted_and_257_refused() -> None:
    long = "brisk otter lantern " * 13
    check(long[:MAX_LENGTH])
    with refused(Failure.PASSWORD_REFUSED) as refusal:
        check(long[: MAX_LENGTH + 1])
    assert refusal.value.in_english == "The password can have at most 256 characters."


def test_the_maximum_too_counts_characters_not_bytes_or_code_points() -> None:
    passphrase = "\u017elu\u0165ou\u010dk\u00fd k\u016f\u0148 \u00fap\u011bl " * 16
    decomposed = unicodedata.normalize("NFD", passphrase[:MAX_LENGTH])
    assert len(decomposed) > MAX_LENGTH
    check(decomposed)


@pytest.mark.parametrize("length", [10_000, 1_000_000])
def test_a_very_long_password_is_refused_for_its_length(length: int) -> None:
    assert reason_against("x" * length) == "The password can have at most 256 characters."


def test_256_characters_of_four_code_points_each_are_accepted() -> None:
    # A character has at most four code points before composition, so no acceptable password is longer than that.
    assert max(len(unicodedata.normalize("NFD", chr(code))) for code in range(sys.maxunicode + 1)) == 4
    composed = "".join(chr(0x1F80 + number * 7 % 48) for number in range(MAX_LENGTH))
    longest = "\N{GREEK SMALL LETTER ALPHA WITH PSILI AND VARIA AND YPOGEGRAMMENI}" * MAX_LENGTH
    assert len(unicodedata.normalize("NFD", longest)) == MAX_RAW_LENGTH
    assert normalised(unicodedata.normalize("NFD", longest)) == longest
    check(unicodedata.normalize("NFD", composed))


@pytest.mark.parametrize(
    "password",
    [
        "\u0316\u0301" * 15_900,
        "a" * MAX_RAW_LENGTH + "\u0301",
        # Three code points each after composition.
        "\U0001d160" * (MAX_LENGTH - 1),
        "x" * (MAX_LENGTH + 1),
    ],
    ids=["marks", "one too many as typed", "longer after composition", "letters"],
)
def test_a_password_that_is_too_long_is_refused_before_work_that_grows_with_it(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = normalised_lengths(monkeypatch)
    with pytest.raises(PasswordTooLong):
        normalised(password)
    assert reason_against(password) == "The password can have at most 256 characters."
    assert max(lengths, default=0) <= MAX_RAW_LENGTH


def test_the_caller_chooses_the_failure() -> None:
    with refused(Failure.REGISTRATION_FAILED):
        check("short", Failure.REGISTRATION_FAILED, personal=())
