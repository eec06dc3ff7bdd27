"""Passwords: what is accepted, how they are hashed, and how reuse is found out.

A customer's current and former passwords share one random salt of that customer, so one hash of a new password is
compared with all of them, however long the history. After a change of the Argon2 parameters it costs one hash more
for each set of parameters that is still stored. What this trades: whoever steals the table tries a guess against all
passwords that one customer ever had at once, but never against two customers. A hash that another system made
(foreign_hashes.py) is checked on its own.
"""

import base64
import hmac
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, TypeVar

import argon2.low_level
from zxcvbn import zxcvbn
from zxcvbn.matching import L33T_TABLE

from portal.domain.errors import N_, NN_, Busy, Failure, Message, Refused
from portal.domain.foreign_hashes import InvalidHash, parse_foreign_hash

Result = TypeVar("Result")

MAX_LENGTH = 256
SALT_LENGTH = 16
_HASH_LENGTH = 32
_OWN = re.compile(r"(\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]{22})\$[A-Za-z0-9+/]{43}")
"""How the portal writes a hash; the group is what a computation needs."""
_ANALYSED_LENGTH = 64
"""zxcvbn's time grows faster than its input; what is longer than this is judged by its beginning."""
_ANALYSED_SIGNS = 8
"""zxcvbn reads signs as the letters they may stand for, in every combination: its time grows with their variety too."""
_SIGNS = frozenset(sign for signs in L33T_TABLE.values() for sign in signs)
_one_analysis = Lock()
"""zxcvbn keeps the personal words of the password in hand in a dictionary of the whole process."""
_TOO_LONG = NN_("The password can have at most %(num)d character.", "The password can have at most %(num)d characters.")
_TOO_SHORT = NN_("The password needs at least %(num)d character.", "The password needs at least %(num)d characters.")
_PERSONAL = N_(
    "This password is too easy to guess: it is made of your name or address, or of the name of this service. "
    "Choose one that says nothing about you."
)
_COMMON = N_(
    "This password is too easy to guess: it is one of the most common ones. Choose one that others do not use."
)
_EASY = N_("This password is too easy to guess. Choose a longer one, for example of several unusual words.")
_EASY_GUESSES = 10**6
"""zxcvbn's own bound between "very guessable" and what withstands throttled guessing over a network."""


@dataclass(frozen=True)
class Parameters:
    """The cost of one hash (Argon2id)."""

    time_cost: int
    memory_kib: int
    parallelism: int


def normalised(password: str) -> str:
    """The form that is counted, checked and hashed: NFC, so that "é" is one character however it was typed (63B)."""
    return unicodedata.normalize("NFC", password)


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def new_salt() -> bytes:
    """A salt for one customer."""
    return secrets.token_bytes(SALT_LENGTH)


def refuse_unfit(password: str, failure: Failure, *, min_length: int, personal: Iterable[str | None]) -> None:
    """Raise Refused(failure), with the reason as its detail, for a new password that the policy does not accept.

    Length counts characters after NFC; there are no rules about kinds of characters (NIST SP 800-63B-4, 3.1.1.2).
    Common passwords and those made of the customer's own name or address (`personal`) are refused, offline.
    """
    password = normalised(password)
    detail: Message | None
    values: dict[str, Any] = {}
    if len(password) < min_length:
        detail, values = _TOO_SHORT, {"num": min_length}
    elif len(password) > MAX_LENGTH:
        detail, values = _TOO_LONG, {"num": MAX_LENGTH}
    else:
        detail = _objection(password, personal)
    if detail:
        raise Refused(failure, detail=detail, values=values, field="password")


def _objection(password: str, personal: Iterable[str | None]) -> str | None:
    words = sorted({word for text in personal if text for word in _words_of(text.casefold())}, key=len, reverse=True)
    rest = whole = password.casefold()
    for word in words:
        rest = rest.replace(word, "")
    if rest != whole and _weakness(rest, []):
        return _PERSONAL
    return _weakness(password, words)


def _words_of(text: str) -> set[str]:
    """A name or an address as a whole and in its parts: people take either for a password."""
    local = text.partition("@")[0]
    parts = "".join(c if c.isalnum() else " " for c in local).split()
    return {word for word in (text, local, *parts) if len(word) > 2}


def _weakness(password: str, personal: list[str]) -> str | None:
    """Why a password is easy to guess, by what zxcvbn finds in its beginning; None when it is not."""
    if not password:
        return _PERSONAL
    with _one_analysis:
        found = zxcvbn(_beginning(password), user_inputs=personal, max_length=_ANALYSED_LENGTH)
    return _reason(found["sequence"]) if found["guesses"] < _EASY_GUESSES else None


def _beginning(password: str) -> str:
    """As much of a password as is analysed."""
    signs: set[str] = set()
    for length, character in enumerate(password[:_ANALYSED_LENGTH]):
        if character in _SIGNS:
            signs.add(character)
        if len(signs) > _ANALYSED_SIGNS:
            return password[:length]
    return password[:_ANALYSED_LENGTH]


def _reason(sequence: Iterable[Mapping[str, Any]]) -> str:
    patterns = {match.get("dictionary_name") or match["pattern"] for match in sequence}
    if "user_inputs" in patterns:
        return _PERSONAL
    if "passwords" in patterns:
        return _COMMON
    return _EASY


class Hasher:
    """Computes Argon2id hashes, as many at a time as there are cores.

    The rest wait, up to `waiting` of them; more are turned away with Busy, so that a flood of sign-ins cannot eat the
    machine. Own threads, because each thread that has hashed keeps the memory of one hash.
    """

    def __init__(self, parameters: Parameters, *, parallel: int | None = None, waiting: int = 12) -> None:
        self._parameters = parameters
        self._parallel = parallel or len(os.sched_getaffinity(0))
        self._bound = self._parallel + waiting
        self._pool = ThreadPoolExecutor(self._parallel, thread_name_prefix="hash")
        self._lock = Lock()
        self._admitted = 0
        self._decoy = self.hash(secrets.token_urlsafe(), new_salt())

    @property
    def admitted(self) -> int:
        """How many hashes are being computed or wait for their turn."""
        return self._admitted

    def hash(self, password: str, salt: bytes) -> str:
        """One hash, in PHC notation. Raises Busy."""
        return self._compute(password, self._prefix(salt))

    def matching(self, password: str, hashes: Iterable[str]) -> set[str]:
        """Those of the hashes that the password fits; one computation for each salt and set of parameters among them.

        With no hash to compare, one is computed all the same: an unknown customer costs what a known one does. A hash
        from elsewhere costs what it costs; one that nobody can check fits nothing, and costs what one of ours does.
        """
        by_prefix: dict[str, list[str]] = {}
        foreign: list[str] = []
        for known in list(hashes) or [self._decoy]:
            if own := _OWN.fullmatch(known):
                by_prefix.setdefault(own[1], []).append(known)
            else:
                foreign.append(known)
        found = {known for known in foreign if self._fits_foreign(password, known)}
        for prefix, group in by_prefix.items():
            computed = self._compute(password, prefix)
            found.update(known for known in group if hmac.compare_digest(known, computed))
        return found - {self._decoy}

    def hash_new(self, password: str, salt: bytes, former: Iterable[str]) -> tuple[str, bool]:
        """The hash of a new password, and whether it is one of the `former` ones (the current one among them).

        One computation when all of them share the salt and today's parameters.
        """
        prefix = self._prefix(salt)
        former = list(former)
        same = [known for known in former if known.startswith(prefix + "$")]
        other = [known for known in former if not known.startswith(prefix + "$")]
        computed = self._compute(password, prefix)
        reused = sum(hmac.compare_digest(known, computed) for known in same) > 0  # every one is compared
        return computed, reused or bool(other and self.matching(password, other))

    def is_current(self, known: str, salt: bytes) -> bool:
        """Whether a hash has today's parameters and the customer's salt."""
        return known.startswith(self._prefix(salt) + "$")

    def _prefix(self, salt: bytes) -> str:
        cost = self._parameters
        text = base64.b64encode(salt).decode().rstrip("=")
        return f"$argon2id$v=19$m={cost.memory_kib},t={cost.time_cost},p={cost.parallelism}${text}"

    def _fits_foreign(self, password: str, known: str) -> bool:
        """Whether a hash from elsewhere was made of a password, as we normalise it or, as its system may have, not."""
        try:
            check = parse_foreign_hash(known).fits
        except InvalidHash:
            self.matching(password, [])
            return False
        candidates = {_encoded(normalised(password)), _encoded(password)}
        return any(self._bounded(partial(check, secret)) for secret in candidates)

    def _compute(self, password: str, prefix: str) -> str:
        _, _, _, costs, salt = prefix.split("$")
        cost = dict(item.split("=") for item in costs.split(","))
        secret = _encoded(normalised(password))

        def run() -> bytes:
            return argon2.low_level.hash_secret(
                secret,
                base64.b64decode(salt + "=" * (-len(salt) % 4)),
                time_cost=int(cost["t"]),
                memory_cost=int(cost["m"]),
                parallelism=int(cost["p"]),
                hash_len=_HASH_LENGTH,
                type=argon2.low_level.Type.ID,
            )

        return self._bounded(run).decode()

    def _bounded(self, work: Callable[[], Result]) -> Result:
        with self._lock:
            if self._admitted >= self._bound:
                raise Busy(retry_after=2)
            self._admitted += 1
        try:
            return self._pool.submit(work).result()
        finally:
            with self._lock:
                self._admitted -= 1
