"""Parse and verify password hashes of other systems: Argon2, bcrypt and PBKDF2, in PHC or Django notation.

They are imported with customers, and replaced at the first successful sign-in (use_cases/log_in.py). A hash contains
its own cost parameters, so each is limited to about one second of one core and 256 MiB, both on import and on
verification.

Plain bcrypt reads 72 bytes of a password and stops at a NUL; PBKDF2 ignores NULs at the end. A password with bytes that
the other system's hash ignores never matches, at the same cost: otherwise a wrong password that differs only in those
bytes would match, and replace the right one when it is rehashed. A customer with such a password must reset it.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import argon2.low_level
import bcrypt

from portal.storage.models import STRING_LENGTH

MAX_ARGON2_KIB = 256 * 1024
MAX_ARGON2_PASSES_KIB = 1024 * 1024
"""Memory times passes, such as 4 passes of 256 MiB or 16 passes of 64 MiB."""
MAX_ARGON2_LANES = 16
MAX_BCRYPT_COST = 14
MAX_PBKDF2_ROUNDS = 2_000_000
"""Rounds times the number of digest blocks in the stored digest."""
MIN_ARGON2_SALT = 8
MIN_DIGEST, MAX_BYTES = 16, 64
"""Bytes of a digest, and of a salt or digest. A shorter digest would match many passwords."""
_BCRYPT_LENGTH = 72
"""Bytes of a password that bcrypt reads."""
_BCRYPT_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

_ARGON2 = re.compile(
    r"(?:argon2)?\$argon2(?P<type>id|i|d)(?:\$v=(?P<version>[0-9]{1,3}))?"
    r"\$m=(?P<m>[0-9]{1,9}),t=(?P<t>[0-9]{1,9}),p=(?P<p>[0-9]{1,4})\$(?P<salt>[^$]+)\$(?P<digest>[^$]+)"
)
_BCRYPT = re.compile(
    r"(?:bcrypt\$|(?P<hashed>bcrypt_sha256\$))?(?P<kind>\$2[aby]\$)(?P<cost>[0-9]{2})\$"
    r"(?P<salt>[./A-Za-z0-9]{22})(?P<digest>[./A-Za-z0-9]{31})"
)
_PBKDF2 = re.compile(
    r"\$pbkdf2(?:-(?P<function>sha1|sha256|sha512))?\$(?:i=)?(?P<rounds>[0-9]{1,9})(?:,l=[0-9]{1,3})?"
    r"\$(?P<salt>[^$]+)\$(?P<digest>[^$]+)"
)
_PBKDF2_DJANGO = re.compile(
    r"pbkdf2_(?P<function>sha1|sha256|sha512)\$(?P<rounds>[0-9]{1,9})\$(?P<salt>[^$]+)\$(?P<digest>[^$]+)"
)
_ARGON2_TYPES = {
    "i": argon2.low_level.Type.I,
    "d": argon2.low_level.Type.D,
    "id": argon2.low_level.Type.ID,
}


class InvalidHash(ValueError):
    """A hash is invalid. The message quotes no part of it."""


@dataclass(frozen=True)
class LegacyHash:
    """A valid hash with an acceptable cost."""

    text: str = field(repr=False)
    """The stored form, normalised."""
    verifies: Callable[[bytes], bool] = field(repr=False)
    """Compute the hash of a password and compare it."""


def parse_legacy_hash(text: str) -> LegacyHash:
    """Parse a hash; raises InvalidHash for an unknown format, invalid data, or a cost above the limits."""
    if len(text) <= STRING_LENGTH:
        for pattern, read in _NOTATIONS:
            if found := pattern.fullmatch(text):
                return read(found)
    raise InvalidHash(
        "The portal does not support this password hash, only Argon2, bcrypt and PBKDF2 in PHC or Django notation."
    )


def _argon2(found: re.Match[str]) -> LegacyHash:
    kind, version = found["type"], int(found["version"] or 16)
    memory, passes, lanes = int(found["m"]), int(found["t"]), int(found["p"])
    salt, digest = _decode(found["salt"]), _decode(found["digest"])
    if version not in (16, 19) or not (lanes >= 1 and 8 * lanes <= memory and passes >= 1):
        raise InvalidHash("Its Argon2 parameters are invalid.")
    if memory > MAX_ARGON2_KIB or memory * passes > MAX_ARGON2_PASSES_KIB or lanes > MAX_ARGON2_LANES:
        raise InvalidHash(
            f"It costs too much to be checked at every sign-in: Argon2 may take {MAX_ARGON2_KIB // 1024} MiB,"
            f" {MAX_ARGON2_PASSES_KIB // 1024} MiB times passes, and {MAX_ARGON2_LANES} lanes."
        )
    _refuse_sizes(salt, digest, least_salt=MIN_ARGON2_SALT)
    costs = f"m={memory},t={passes},p={lanes}"
    text = f"$argon2{kind}$v={version}${costs}${_b64(salt)}${_b64(digest)}"

    def verifies(secret: bytes) -> bool:
        computed = argon2.low_level.hash_secret(
            secret, salt, passes, memory, lanes, len(digest), _ARGON2_TYPES[kind], version
        )
        return hmac.compare_digest(computed, text.encode())

    return LegacyHash(text, verifies)


def _bcrypt(found: re.Match[str]) -> LegacyHash:
    if not 4 <= int(found["cost"]) <= MAX_BCRYPT_COST:
        raise InvalidHash(f"Its bcrypt cost is not between 4 and {MAX_BCRYPT_COST}.")
    # The last character of each part has unused bits, which some systems do not set to zero.
    salt, digest = _without_spare_bits(found["salt"], 0x30), _without_spare_bits(found["digest"], 0x3C)
    known = f"{found['kind']}{found['cost']}${salt}{digest}"
    if found["hashed"]:
        return LegacyHash(
            found["hashed"] + known,
            lambda secret: bcrypt.checkpw(hashlib.sha256(secret).hexdigest().encode(), known.encode()),
        )

    def verifies(secret: bytes) -> bool:
        equal = bcrypt.checkpw(secret[:_BCRYPT_LENGTH], known.encode())
        return equal and len(secret) <= _BCRYPT_LENGTH and b"\0" not in secret

    return LegacyHash(known, verifies)


def _without_spare_bits(text: str, mask: int) -> str:
    return text[:-1] + _BCRYPT_ALPHABET[_BCRYPT_ALPHABET.index(text[-1]) & mask]


def _pbkdf2(found: re.Match[str]) -> LegacyHash:
    return _pbkdf2_of(found, _decode(found["salt"]))


def _pbkdf2_django(found: re.Match[str]) -> LegacyHash:
    return _pbkdf2_of(found, found["salt"].encode("utf-8", "surrogatepass"))


def _pbkdf2_of(found: re.Match[str], salt: bytes) -> LegacyHash:
    function, rounds, digest = found["function"] or "sha1", int(found["rounds"]), _decode(found["digest"])
    _refuse_sizes(salt, digest, least_salt=1)
    blocks = -(-len(digest) // hashlib.new(function).digest_size)
    if not 1 <= rounds * blocks <= MAX_PBKDF2_ROUNDS:
        raise InvalidHash(f"Its number of PBKDF2 iterations is not between 1 and {MAX_PBKDF2_ROUNDS}.")
    compute = partial(hashlib.pbkdf2_hmac, function, salt=salt, iterations=rounds, dklen=len(digest))

    def verifies(secret: bytes) -> bool:
        equal = hmac.compare_digest(compute(password=secret), digest)
        return equal and not secret.endswith(b"\0")

    return LegacyHash(found.string, verifies)


def _refuse_sizes(salt: bytes, digest: bytes, *, least_salt: int) -> None:
    if not (least_salt <= len(salt) <= MAX_BYTES and MIN_DIGEST <= len(digest) <= MAX_BYTES):
        raise InvalidHash(
            f"Its salt must have {least_salt} to {MAX_BYTES} bytes, and its digest {MIN_DIGEST} to {MAX_BYTES}."
        )


def _decode(text: str) -> bytes:
    """Decode Base64 with or without padding; some systems write a full stop for the plus sign."""
    text = text.rstrip("=").replace(".", "+")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidHash("It is invalid: a part of it is not Base64.") from None


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")


_NOTATIONS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], LegacyHash]], ...] = (
    (_ARGON2, _argon2),
    (_BCRYPT, _bcrypt),
    (_PBKDF2, _pbkdf2),
    (_PBKDF2_DJANGO, _pbkdf2_django),
)
