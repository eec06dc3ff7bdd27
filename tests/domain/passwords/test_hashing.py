"""How passwords are hashed and compared, and how many at a time."""

from collections.abc import Iterator
from threading import Thread

import argon2.exceptions
import pytest

from portal.domain.errors import Busy
from portal.domain.passwords.hashing import Hasher, Parameters, new_salt
from portal.domain.passwords.policy import MAX_RAW_LENGTH, PasswordTooLong
from tests.domain.watching import HashCounter, in_parallel, normalised_lengths, wait_until

CHEAP = Parameters(1, 8, 1)
DEARER = Parameters(2, 16, 1)
PASSPHRASE = "p\u0159\u00edli\u0161 \u017elu\u0165ou\u010dk\u00fd"


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    hasher = Hasher(CHEAP, parallel=2, max_queued=2)
    yield hasher
    hasher._pool.shutdown()


def fits(hasher: Hasher, password: str, other: str) -> bool:
    return bool(hasher.matching(other, [hasher.hash(password, new_salt())]))


def test_a_hash_says_how_it_was_made() -> None:
    kind, version, costs, salt, digest = Hasher(Parameters(2, 19456, 1)).hash("x", b"0123456789abcdef").split("$")[1:]
    assert (kind, version, costs, salt) == ("argon2id", "v=19", "m=19456,t=2,p=1", "MDEyMzQ1Njc4OWFiY2RlZg")
    assert len(digest) == 43


def test_two_customers_with_one_password_have_different_hashes(hasher: Hasher) -> None:
    assert hasher.hash(PASSPHRASE, new_salt()) != hasher.hash(PASSPHRASE, new_salt())
    assert len({new_salt() for _ in range(1000)}) == 1000


def test_composed_and_decomposed_are_one_password(hasher: Hasher) -> None:
    assert fits(hasher, "caf\u00e9 olol\u00f3", "cafe\u0301 ololo\u0301")
    assert fits(hasher, "cafe\u0301 ololo\u0301", "caf\u00e9 olol\u00f3")


@pytest.mark.parametrize(
    ("password", "other"),
    [
        ("x" * 72 + "A", "x" * 72 + "B"),
        ("x" * 255 + "A", "x" * 255 + "B"),
        (PASSPHRASE, PASSPHRASE.upper()),
        (PASSPHRASE, PASSPHRASE + " "),
        (PASSPHRASE, " " + PASSPHRASE),
        (PASSPHRASE, PASSPHRASE + "\x00"),
        (PASSPHRASE, PASSPHRASE + "\x00tail"),
        (PASSPHRASE + "\x00tail", PASSPHRASE + "\x00liat"),
        (PASSPHRASE, ""),
        ("\ufb01sh and chips", "fish and chips"),
        ("\ud800 half a pair", "? half a pair"),
    ],
)
def test_the_whole_password_is_compared_as_sent(hasher: Hasher, password: str, other: str) -> None:
    assert fits(hasher, password, password)
    assert not fits(hasher, password, other)


def test_a_customer_with_24_former_passwords_costs_one_hash(hasher: Hasher, hashes: HashCounter) -> None:
    salt = new_salt()
    former = [hasher.hash(f"password number {number}", salt) for number in range(24)]
    for number in (0, 11, 23):
        before = hashes.computed
        assert hasher.hash_new(f"password number {number}", salt, former) == (former[number], True)
        assert hashes.computed == before + 1
    before = hashes.computed
    assert hasher.hash_new("password number 24", salt, former)[1] is False
    assert hashes.computed == before + 1


def test_each_set_of_former_parameters_costs_one_hash_more(hasher: Hasher, hashes: HashCounter) -> None:
    salt = new_salt()
    dearer = Hasher(DEARER)
    former = [hasher.hash(f"cheap {number}", salt) for number in range(5)]
    former += [dearer.hash(f"dear {number}", salt) for number in range(5)]
    assert hashes.during(lambda: hasher.hash_new("something new", salt, former)) == 2
    assert hasher.hash_new("cheap 3", salt, former)[1] is True
    assert hasher.hash_new("dear 3", salt, former)[1] is True
    assert hasher.hash_new("dear 5", salt, former)[1] is False


def test_comparing_with_several_hashes_of_one_salt_costs_one(hasher: Hasher, hashes: HashCounter) -> None:
    salt = new_salt()
    known = [hasher.hash(f"waiting {number}", salt) for number in range(3)]
    before = hashes.computed
    assert hasher.matching("waiting 1", known) == {known[1]}
    assert hashes.computed == before + 1


def test_comparing_with_nothing_costs_one_hash_and_fits_nothing(hasher: Hasher, hashes: HashCounter) -> None:
    before = hashes.computed
    assert hasher.matching(PASSPHRASE, []) == set()
    assert hashes.computed == before + 1


@pytest.mark.parametrize("password", ["\u0316\u0301" * 15_900, "x" * 257], ids=["marks", "letters"])
def test_a_password_that_is_too_long_fits_nothing_and_costs_what_others_do(
    hasher: Hasher, hashes: HashCounter, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    known = [hasher.hash("", new_salt()), hasher.hash(PASSPHRASE, new_salt())]
    lengths = normalised_lengths(monkeypatch)
    assert hashes.during(lambda: hasher.matching(password, known)) == 2
    assert hashes.during(lambda: hasher.matching(password, [])) == 1
    assert hasher.matching(password, known) == set()
    with pytest.raises(PasswordTooLong):
        hasher.hash(password, new_salt())
    assert max(lengths) <= MAX_RAW_LENGTH


def test_a_hash_of_other_parameters_or_another_salt_is_not_current(hasher: Hasher) -> None:
    salt = new_salt()
    known = hasher.hash(PASSPHRASE, salt)
    assert hasher.is_current(known, salt)
    assert not hasher.is_current(known, new_salt())
    assert not Hasher(DEARER).is_current(known, salt)


def test_no_more_are_hashed_at_once_than_the_bound(hashes: HashCounter) -> None:
    hasher = Hasher(CHEAP, parallel=2, max_queued=30)
    hashes.gate.clear()
    salt = new_salt()

    def open_when_all_have_come() -> str:
        wait_until(lambda: hasher._admitted == 20)
        hashes.gate.set()
        return hasher.hash(PASSPHRASE, salt)

    outcomes = in_parallel([open_when_all_have_come, *[lambda: hasher.hash(PASSPHRASE, salt)] * 20])
    assert len(set(outcomes)) == 1
    assert hashes.most_at_once == 2


def test_what_would_wait_too_long_is_turned_away_at_once(hasher: Hasher, hashes: HashCounter) -> None:
    hashes.gate.clear()
    salt = new_salt()
    done: list[str] = []
    admitted = [Thread(target=lambda: done.append(hasher.hash(PASSPHRASE, salt))) for _ in range(4)]
    for thread in admitted:
        thread.start()
    wait_until(lambda: hasher._admitted == 4)
    with pytest.raises(Busy) as refusal:
        hasher.hash(PASSPHRASE, salt)
    assert refusal.value.retry_after > 0
    hashes.gate.set()
    for thread in admitted:
        thread.join()
    assert len(done) == 4
    assert hasher.hash(PASSPHRASE, salt) == done[0]


def test_a_hash_that_fails_frees_its_place(hasher: Hasher) -> None:
    for _ in range(10):
        with pytest.raises(argon2.exceptions.HashingError):
            hasher.hash(PASSPHRASE, b"salt")  # shorter than Argon2 takes
    assert hasher.hash(PASSPHRASE, new_salt())
