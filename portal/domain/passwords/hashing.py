"""How passwords are hashed, and how reuse is found out.

A customer's current and former passwords share one random salt of that customer, so one hash of a new password is
compared with all of them, however long the history. After a change of the Argon2 parameters it costs one hash more
for each set of parameters that is still stored. What this trades: whoever steals the table tries a guess against all
passwords that one customer ever had at once, but never against two customers. A hash that another system made
(legacy_hashes.py) is checked on its own.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TypeVar

import argon2.exceptions
import argon2.low_level

from portal.domain.errors import Busy
from portal.domain.passwords.legacy_hashes import InvalidHash, parse_legacy_hash
from portal.domain.passwords.policy import PasswordTooLong, normalised
from portal.threads import CORES, started_pool

Result = TypeVar("Result")

SALT_LENGTH = 16
_HASH_LENGTH = 32
_OWN = re.compile(r"(\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]{22})\$[A-Za-z0-9+/]{43}")
"""How the portal writes a hash; the group is what a computation needs."""
_NOTHING_TO_SPARE = {argon2.low_level.error_to_str(code) for code in (-22, -33)}
"""What Argon2 says when it gets no memory (ARGON2_MEMORY_ALLOCATION_ERROR), or no thread (ARGON2_THREAD_FAIL)."""

WAITING = 12
"""How many hashes may wait for a core."""


@dataclass(frozen=True)
class Parameters:
    """The cost of one hash (Argon2id)."""

    time_cost: int
    memory_kib: int
    parallelism: int


def new_salt() -> bytes:
    """A salt for one customer."""
    return secrets.token_bytes(SALT_LENGTH)


class Hasher:
    """Computes Argon2id hashes, as many at a time as there are cores.

    The rest wait, up to `waiting` of them; more are turned away with Busy, so that a flood of sign-ins cannot eat the
    machine; so are those that the machine has no memory for. Own threads, because each thread that has hashed keeps the
    memory of one hash. Raises Busy when there is not even memory for one.
    """

    def __init__(self, parameters: Parameters, *, parallel: int = CORES, waiting: int = WAITING) -> None:
        self._parameters = parameters
        self._parallel = parallel
        self._bound = self._parallel + waiting
        self._pool = started_pool(self._parallel, "hash")
        self._lock = Lock()
        self._admitted = 0
        self._decoy = self.hash(secrets.token_urlsafe(), new_salt())

    @property
    def admitted(self) -> int:
        """How many hashes are being computed or wait for their turn."""
        return self._admitted

    def hash(self, password: str, salt: bytes) -> str:
        """One hash, in PHC notation. Raises Busy, and PasswordTooLong."""
        return self._compute(password, self._prefix(salt))

    def matching(self, password: str, hashes: Iterable[str]) -> set[str]:
        """Those of the hashes that the password fits; one computation for each salt and set of parameters among them.

        With no hash to compare, one is computed all the same: an unknown customer costs what a known one does. A hash
        from elsewhere costs what it costs; one that nobody can check fits nothing, and costs what one of ours does. A
        password that is too long fits nothing either, at the same cost.
        """
        hashes = list(hashes)
        try:
            normalised(password)
        except PasswordTooLong:
            self.matching("", hashes)
            return set()
        by_prefix: dict[str, list[str]] = {}
        foreign: list[str] = []
        for known in hashes or [self._decoy]:
            if own := _OWN.fullmatch(known):
                by_prefix.setdefault(own[1], []).append(known)
            else:
                foreign.append(known)
        found = {known for known in foreign if self._verifies_legacy(password, known)}
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

    def _verifies_legacy(self, password: str, known: str) -> bool:
        """Whether a hash from elsewhere was made of a password, as we normalise it or, as its system may have, not."""
        try:
            check = parse_legacy_hash(known).verifies
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
        except Exception as error:
            if _lacks_memory(error):
                raise Busy(retry_after=2) from None
            raise
        finally:
            with self._lock:
                self._admitted -= 1


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def _lacks_memory(error: Exception) -> bool:
    """Whether a hash failed because the system had nothing to spare; Argon2 and OpenSSL have words for it, no class."""
    is_short = isinstance(error, argon2.exceptions.HashingError) and str(error) in _NOTHING_TO_SPARE
    return is_short or isinstance(error, MemoryError) or str(error).endswith("malloc failure")
