"""Hashes that other systems made: which are read, what they may cost, and how they go."""

import base64
import hashlib
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import argon2.low_level
import bcrypt
import pytest
from sqlalchemy import insert, select, update

from portal.domain.errors import Busy, Failure
from portal.domain.passwords.hashing import Hasher, Parameters, new_salt
from portal.domain.passwords.legacy_hashes import InvalidHash, parse_legacy_hash
from portal.storage.models import Account, Contact
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, refused
from tests.domain.watching import HashCounter, wait_until

# Out of the tests and manuals of the systems that made them; OpenBSD's and Argon2's own are among them.
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

FOREIGN = "pbkdf2_sha256$1000$Zq3uWx9sTb1k$"


def pbkdf2(password: str) -> str:
    """As Django would have stored it."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"Zq3uWx9sTb1k", 1000)
    return FOREIGN + base64.b64encode(digest).decode()


def fits(password: str, text: str) -> bool:
    return parse_legacy_hash(text).verifies(password.encode())


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    hasher = Hasher(Parameters(1, 8, 1), parallel=2, max_queued=2)
    yield hasher
    hasher._pool.shutdown()


@pytest.mark.parametrize("system", KNOWN)
def test_a_hash_of_another_system_fits_its_password_only(system: str) -> None:
    password, text = KNOWN[system]
    assert fits(password, text)
    assert not fits(password + "x", text)
    assert not fits(password.upper() + "y", text)


@pytest.mark.parametrize("system", KNOWN)
def test_what_is_stored_is_the_same_hash_and_is_stored_so_again(system: str) -> None:
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
def test_plain_bcrypt_fits_no_password_that_it_does_not_see_whole(prefix: str) -> None:
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
def test_plain_bcrypt_fits_no_password_with_a_nul(other: str) -> None:
    # It hashes a password with a NUL behind it, over and over, and systems written in C end at the first one.
    for made_of in ("password", "pass", other):
        known = bcrypt.hashpw(made_of.encode(), bcrypt.gensalt(4)).decode()
        assert not fits(other, known)
    digest = hashlib.sha256(other.encode()).hexdigest().encode()
    known = "bcrypt_sha256$" + bcrypt.hashpw(digest, bcrypt.gensalt(4)).decode()
    assert fits(other, known)


@pytest.mark.parametrize("function", ["sha1", "sha256", "sha512"])
def test_pbkdf2_fits_no_password_with_a_nul_at_its_end(function: str) -> None:
    # HMAC fills its key up with NULs: the digest is that of the password without them.
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
def test_a_password_that_fits_in_no_case_costs_the_hash_of_any_other(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_what_is_broken_or_costs_too_much_is_refused_in_words_that_hold_none_of_it(text: str, word: str) -> None:
    with pytest.raises(InvalidHash) as refusal:
        parse_legacy_hash(text)
    assert word in str(refusal.value)
    assert not any(part in str(refusal.value) for part in text.split("$")[1:] if len(part) > 6)
    assert refusal.value.__cause__ is None


def test_no_hash_is_seen_in_a_repr() -> None:
    _, text = KNOWN["bcrypt 2b"]
    assert "CCCC" not in repr(parse_legacy_hash(text))


def test_a_planted_hash_that_would_eat_the_machine_costs_one_of_ours(hasher: Hasher, hashes: HashCounter) -> None:
    planted = "$argon2id$v=19$m=8388608,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
    assert hasher.matching("password", [planted]) == set()
    assert hashes.computed == 1


def test_a_hash_from_elsewhere_is_checked_on_its_own(hasher: Hasher, hashes: HashCounter) -> None:
    salt = new_salt()
    former = [hasher.hash(f"number {number}", salt) for number in range(3)]
    imported = KNOWN["argon2id"][1]
    before = hashes.computed
    assert hasher.hash_new("password", salt, [*former, imported])[1] is True
    assert hasher.hash_new("something new", salt, [*former, imported])[1] is False
    assert hashes.computed == before + 4


def test_a_hash_made_of_decomposed_letters_fits_whoever_types_them_so(hasher: Hasher) -> None:
    known = pbkdf2("cafe\u0301")
    assert hasher.matching("cafe\u0301", [known]) == {known}
    assert hasher.matching("caf\u00e9", [pbkdf2("caf\u00e9")])
    assert hasher.matching("cafe\u0301", [pbkdf2("caf\u00e9")])


def test_what_is_seen_whole_in_either_form_fits(hasher: Hasher) -> None:
    composed, decomposed = "\u017e" * 30, "z\u030c" * 30  # 60 bytes and 90
    known = bcrypt.hashpw(composed.encode(), bcrypt.gensalt(4)).decode()
    assert hasher.matching(composed, [known])
    assert hasher.matching(decomposed, [known])
    cut = bcrypt.hashpw(decomposed.encode()[:72], bcrypt.gensalt(4)).decode()
    assert not hasher.matching(decomposed, [cut])
    assert not hasher.matching(composed, [cut])


def import_account(scene: Scene, password_hash: str) -> int:
    """A customer whose hash came from elsewhere."""
    contact_id, now = scene.add_guest(), scene.context.clock()
    values = {"contact_id": contact_id, "password_hash": password_hash, "password_set_at": now, "created_at": now}
    scene.change_row(insert(Account).values(values))
    return contact_id


def stored_hash(scene: Scene) -> str:
    return str(scene.rows(select(Account.password_hash))[0][0])


def test_the_first_right_password_replaces_the_hash_by_one_of_ours(scene: Scene) -> None:
    import_account(scene, pbkdf2(PASSWORD))
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, WRONG_PASSWORD)
    assert stored_hash(scene) == pbkdf2(PASSWORD)

    assert scene.is_signed_in(scene.log_in())

    renewed = stored_hash(scene)
    assert renewed.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert scene.is_signed_in(scene.log_in())
    assert stored_hash(scene) == renewed
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, WRONG_PASSWORD)


LONGEST_BCRYPT = "violet harbour kettle 41, gravel mitten orchard 87 and cinder ballot 63."


def test_a_password_that_begins_like_the_one_of_a_bcrypt_hash_replaces_nothing(scene: Scene) -> None:
    assert len(LONGEST_BCRYPT) == 72
    known = bcrypt.hashpw(LONGEST_BCRYPT.encode(), bcrypt.gensalt(4)).decode()
    import_account(scene, known)
    for other in (LONGEST_BCRYPT + "OTHER", LONGEST_BCRYPT + "\x00", LONGEST_BCRYPT[:-1] + "\x00"):
        with refused(Failure.WRONG_PASSWORD):
            scene.log_in(ADA, other)
        assert stored_hash(scene) == known

    assert scene.is_signed_in(scene.log_in(ADA, LONGEST_BCRYPT))
    assert stored_hash(scene).startswith("$argon2id$")
    assert scene.is_signed_in(scene.log_in(ADA, LONGEST_BCRYPT))
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, LONGEST_BCRYPT + "OTHER")


def test_who_has_a_longer_password_than_bcrypt_sees_sets_it_by_mail(scene: Scene) -> None:
    longer = LONGEST_BCRYPT + " Nine otters."
    import_account(scene, bcrypt.hashpw(longer.encode()[:72], bcrypt.gensalt(4)).decode())
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, longer)

    scene.reset(scene.ask_reset(), longer)

    assert scene.is_signed_in(scene.log_in(ADA, longer))
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, LONGEST_BCRYPT)


def test_argon2id_of_another_system_gets_the_salt_and_the_cost_of_ours(scene: Scene) -> None:
    elsewhere = Hasher(Parameters(3, 64, 2), parallel=1)
    import_account(scene, elsewhere.hash(PASSWORD, b"a salt elsewhere"))
    scene.log_in()
    assert stored_hash(scene).startswith("$argon2id$v=19$m=8,t=1,p=1$")
    elsewhere._pool.shutdown()


def test_an_imported_password_is_not_taken_again(scene: Scene) -> None:
    import_account(scene, pbkdf2(PASSWORD))
    scene.reset(scene.ask_reset(), SECOND_PASSWORD)
    with refused(Failure.PASSWORD_REUSED):
        scene.reset(scene.ask_reset(), PASSWORD)


def test_an_imported_password_can_be_changed_by_whoever_knows_it(scene: Scene) -> None:
    import_account(scene, pbkdf2(PASSWORD))
    scene.change(scene.log_in(), PASSWORD, SECOND_PASSWORD)
    assert scene.is_signed_in(scene.log_in(ADA, SECOND_PASSWORD))


def test_a_closed_account_keeps_its_imported_hash(scene: Scene) -> None:
    contact_id = import_account(scene, pbkdf2(PASSWORD))
    scene.change_row(update(Contact).where(Contact.id == contact_id).values(failed_passwords=100))
    with refused(Failure.PASSWORD_LOCKED):
        scene.log_in()
    assert stored_hash(scene) == pbkdf2(PASSWORD)


def test_no_more_foreign_hashes_are_checked_at_once_than_of_ours(hasher: Hasher) -> None:
    """They wait for the same places: with those taken, the next one is turned away."""
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
