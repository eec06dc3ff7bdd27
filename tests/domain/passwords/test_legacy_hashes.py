"""Password hashes of other systems: which are accepted, and what they may cost."""

import base64
import hashlib
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import argon2.low_level
import bcrypt
import pytest

from portal.domain.errors import Busy
from portal.domain.passwords.hashing import Hasher, Parameters, new_salt
from portal.domain.passwords.legacy_hashes import InvalidHash, parse_legacy_hash
from tests.domain.instrumentation import HashCounter, wait_until
from tests.domain.passwords.django_hash import pbkdf2
from tests.domain.scene import PASSWORD

# From the tests and manuals of the systems that define them, among them OpenBSD and Argon2.
KNOWN = {
    "argon2i": ("password", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8"),
    "argon2id": ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
    "argon2i 1.0": ("password", "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY"),
    "Django's argon2": (
        "secret",
        "argon2$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$gwQOXSNhxiOxPOA0+PY10P9QFO4NAYysnqRt1GSQLE55m+2GYDt9FEjPMHhP2Cuf0"
        "nOEXXMocVrsJAtNSsKyfg",
    ),
    "bcrypt 2a": ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "bcrypt 2b": ("U*U*", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    "bcrypt 2y": ("U*U*", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    "bcrypt with rubbish in the spare bits": ("U*U*", "$2y$05$CCCCCCCCCCCCCCCCCCCCC/VGOzA784oUp/Z0DY336zx7pLYAy0lwL"),
    "Django's bcrypt": ("U*U*", "bcrypt$$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    "pbkdf2 of passlib": (
        "toomanysecrets",
        "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
    ),
    "pbkdf2 as PHC": (
        "toomanysecrets",
        "$pbkdf2-sha256$i=29000,l=32$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A+WF/Z5JZv+lfCIhXXN33N23OSgQYThBYRfk",
    ),
    "pbkdf2 of RFC 6070": ("password", "$pbkdf2$4096$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE"),
    "pbkdf2 with SHA-512": (
        "password",
        "$pbkdf2-sha512$i=4096$c2FsdA$0Zexsz2wFD4BixLz0dFHnmzevcyXxcD4f2kC4HL0V7UUPzBgJkGz1VzTNZiMs2uEN2Bg7NUy4Dm3Qq"
        "I5Q0ry1Q",
    ),
    "Django's pbkdf2": (
        "l\u00e8tmein",
        "pbkdf2_sha256$260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=",
    ),
    "Django's pbkdf2 with SHA-1": ("password", "pbkdf2_sha1$4096$salt$SwB5AbdlSJq+rUnZJvch0GWkKcE="),
}


def fits(password: str, text: str) -> bool:
    return parse_legacy_hash(text).verifies(password.encode())


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    hasher = Hasher(Parameters(1, 8, 1), parallel=2, max_queued=2)
    yield hasher
    hasher._pool.shutdown()


@pytest.mark.parametrize("system", KNOWN)
def test_a_legacy_hash_matches_its_password_only(system: str) -> None:
    password, text = KNOWN[system]
    assert fits(password, text)
    assert not fits(password + "x", text)
    assert not fits(password.upper() + "y", text)


@pytest.mark.parametrize("system", KNOWN)
def test_storing_a_legacy_hash_keeps_it_unchanged(system: str) -> None:
    password, text = KNOWN[system]
    stored = parse_legacy_hash(text).text
    assert fits(password, stored)
    assert parse_legacy_hash(stored).text == stored
    assert len(stored) <= 255


def test_bcrypt_over_sha256_compares_the_whole_password() -> None:
    secret = b"x" * 80
    known = "bcrypt_sha256$" + bcrypt.hashpw(hashlib.sha256(secret).hexdigest().encode(), bcrypt.gensalt(4)).decode()
    assert fits("x" * 80, known)
    assert not fits("x" * 81, known)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$", "bcrypt$$2b$"])
def test_plain_bcrypt_matches_no_password_that_it_truncates(prefix: str) -> None:
    known = prefix + bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()[4:]
    assert fits("x" * 72, known)
    assert not fits("x" * 71, known)
    for rest in ("x", "OTHER", "\x00", "x" * 100):
        assert not fits("x" * 72 + rest, known)


def test_plain_bcrypt_counts_bytes() -> None:
    known = bcrypt.hashpw(("\u017e" * 36).encode(), bcrypt.gensalt(4)).decode()
    assert fits("\u017e" * 36, known)
    assert not fits("\u017e" * 37, known)


@pytest.mark.parametrize("other", ["password\x00", "password\x00tail", "password\x00password", "pass\x00word"])
def test_plain_bcrypt_matches_no_password_with_a_nul(other: str) -> None:
    # bcrypt hashes a password with a NUL behind it, repeatedly, and systems written in C stop at the first NUL.
    for made_of in ("password", "pass", other):
        known = bcrypt.hashpw(made_of.encode(), bcrypt.gensalt(4)).decode()
        assert not fits(other, known)
    digest = hashlib.sha256(other.encode()).hexdigest().encode()
    known = "bcrypt_sha256$" + bcrypt.hashpw(digest, bcrypt.gensalt(4)).decode()
    assert fits(other, known)


@pytest.mark.parametrize("function", ["sha1", "sha256", "sha512"])
def test_pbkdf2_matches_no_password_with_a_trailing_nul(function: str) -> None:
    # HMAC pads its key with NULs: the digest is that of the password without them.
    for length in (8, 64, 128):
        secret = "p" * length
        digest = hashlib.pbkdf2_hmac(function, secret.encode(), b"seasalt", 10)
        known = f"pbkdf2_{function}$10$seasalt$" + base64.b64encode(digest).decode()
        assert fits(secret, known)
        assert not any(fits(secret + rest, known) for rest in ("\x00", "\x00\x00", "\x00tail"))


@pytest.mark.parametrize("rest", ["", "\x00", "\x00tail", "y", "x" * 100])
def test_argon2_compares_the_whole_password(rest: str) -> None:
    salt, secret = b"a salt elsewhere", "x" * 72
    known = argon2.low_level.hash_secret(secret.encode(), salt, 1, 8, 1, 32, argon2.low_level.Type.ID).decode()
    assert fits(secret + rest, known) == (rest == "")


@pytest.mark.parametrize("password", ["x" * 72, "x" * 73, "x" * 200, "x\x00", "x\x00x"])
def test_a_password_that_can_never_match_costs_the_same_hash(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work: list[str] = []
    check, derive = bcrypt.checkpw, hashlib.pbkdf2_hmac

    def checked(secret: bytes, known: bytes) -> bool:
        work.append("bcrypt")
        return check(secret, known)

    def derived(*arguments: Any, **options: Any) -> bytes:
        work.append("pbkdf2")
        return derive(*arguments, **options)

    monkeypatch.setattr(bcrypt, "checkpw", checked)
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", derived)
    fits(password, KNOWN["bcrypt 2b"][1])
    fits(password, KNOWN["Django's pbkdf2 with SHA-1"][1])
    assert work == ["bcrypt", "pbkdf2"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("$argon2id$v=19$m=8388608,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "costs too much"),
        ("$argon2id$v=19$m=262144,t=5,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "costs too much"),
        ("$argon2id$v=19$m=8,t=999999999,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1b", "costs too much"),
        ("$argon2id$v=19$m=1024,t=1,p=17$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "costs too much"),
        ("$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "parameters"),
        ("$argon2id$v=18$m=8,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "parameters"),
        ("$argon2id$v=19$m=8,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "parameters"),
        ("$argon2id$v=19$m=8,t=1,p=0$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "parameters"),
        ("$argon2id$v=19$m=8,t=1,p=1$c29tZQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "salt"),
        ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$nf65EOg", "digest"),
        ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$***", "Base64"),
        ("$2b$31$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "between 4 and 14"),
        ("$2b$03$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "between 4 and 14"),
        ("bcrypt_sha256$$2b$15$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "between 4 and 14"),
        ("$2x$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "does not support"),
        ("pbkdf2_sha256$999999999$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=", "between 1 and"),
        ("pbkdf2_sha256$0$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=", "between 1 and"),
        ("$pbkdf2$i=600000$c2FsdA$" + "A" * 86, "between 1 and"),  # four blocks of SHA-1
        ("pbkdf2_sha256$1000$seasalt$YlY=", "digest"),
        ("pbkdf2_sha256$1000$seasalt$YlY= ", "Base64"),
        ("pbkdf2_md5$1000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=", "does not support"),
        ("md5$seasalt$3f86d0d3d465b7b458c231bf3555c0e3", "does not support"),
        ("5f4dcc3b5aa765d61d8327deb882cf99", "does not support"),
        ("", "does not support"),
        ("$", "does not support"),
        ("pbkdf2_sha256$\u0661\u0662$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=", "does not support"),
        ("pbkdf2_sha256$1000$" + "s" * 256 + "$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=", "does not support"),
    ],
)
def test_a_broken_or_too_expensive_hash_is_refused_without_quoting_it(text: str, word: str) -> None:
    with pytest.raises(InvalidHash) as refusal:
        parse_legacy_hash(text)
    assert word in str(refusal.value)
    assert not any(part in str(refusal.value) for part in text.split("$")[1:] if len(part) > 6)
    assert refusal.value.__cause__ is None


def test_a_repr_holds_no_hash() -> None:
    _, text = KNOWN["bcrypt 2b"]
    assert "CCCC" not in repr(parse_legacy_hash(text))


def test_an_excessively_expensive_stored_hash_costs_only_one_normal_hash(hasher: Hasher, hashes: HashCounter) -> None:
    planted = "$argon2id$v=19$m=8388608,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
    assert hasher.matching("password", [planted]) == set()
    assert hashes.computed == 1


def test_a_legacy_hash_is_checked_separately(hasher: Hasher, hashes: HashCounter) -> None:
    salt = new_salt()
    former = [hasher.hash(f"number {number}", salt) for number in range(3)]
    imported = KNOWN["argon2id"][1]
    before = hashes.computed
    assert hasher.hash_new("password", salt, [*former, imported])[1] is True
    assert hasher.hash_new("something new", salt, [*former, imported])[1] is False
    assert hashes.computed == before + 4


def test_a_legacy_hash_of_decomposed_letters_matches_a_decomposed_password(hasher: Hasher) -> None:
    known = pbkdf2("cafe\u0301")
    assert hasher.matching("cafe\u0301", [known]) == {known}
    assert hasher.matching("caf\u00e9", [pbkdf2("caf\u00e9")])
    assert hasher.matching("cafe\u0301", [pbkdf2("caf\u00e9")])


def test_a_password_matches_in_any_normal_form_that_is_not_truncated(hasher: Hasher) -> None:
    composed, decomposed = "\u017e" * 30, "z\u030c" * 30  # 60 bytes and 90
    known = bcrypt.hashpw(composed.encode(), bcrypt.gensalt(4)).decode()
    assert hasher.matching(composed, [known])
    assert hasher.matching(decomposed, [known])
    cut = bcrypt.hashpw(decomposed.encode()[:72], bcrypt.gensalt(4)).decode()
    assert not hasher.matching(decomposed, [cut])
    assert not hasher.matching(composed, [cut])


def test_legacy_hashes_share_the_bound_on_parallel_hashes(hasher: Hasher) -> None:
    """They wait for the same slots: when all are taken, the next one is refused."""
    gate = Event()
    known = pbkdf2(PASSWORD)
    waiting = [Thread(target=hasher._bounded, args=(gate.wait,)) for _ in range(4)]
    for thread in waiting:
        thread.start()
    wait_until(lambda: hasher._admitted == 4)
    with pytest.raises(Busy):
        hasher.matching(PASSWORD, [known])
    gate.set()
    for thread in waiting:
        thread.join()
    assert hasher.matching(PASSWORD, [known]) == {known}
