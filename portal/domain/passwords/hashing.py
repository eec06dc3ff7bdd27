"""Hash passwords with Argon2id, verify them, and detect reuse.

The current and former passwords of a customer share one random salt of that customer, so one hash of a new password is
compared with all of them, however long the history. After a change of the Argon2 parameters this takes one more hash
for each stored set of parameters. The trade-off: an attacker with the table can test a guess against all passwords of
one customer at once, but never of two customers. An imported hash (legacy_hashes.py) is verified separately.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from threading import Lock
from time import process_time
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
_ARGON2ID = re.compile(r"(\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]{22})\$[A-Za-z0-9+/]{43}")
"""The portal's own hashes; the group is the prefix with parameters and salt."""
_OUT_OF_RESOURCES = {argon2.low_level.error_to_str(code) for code in (-22, -33)}
"""Argon2's messages for a lack of memory (ARGON2_MEMORY_ALLOCATION_ERROR) or threads (ARGON2_THREAD_FAIL)."""

MAX_QUEUED_HASHES = 12
"""Maximum number of hashes that wait for a core."""


@dataclass(frozen=True)
class Parameters:
    """The Argon2id parameters of a hash."""

    time_cost: int
    memory_kib: int
    parallelism: int


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_LENGTH)


class Hasher:
    """Computes Argon2id hashes, as many at a time as there are cores.

    Up to `max_queued` more are queued; above that, and if there is not enough memory, Busy is raised, so that a flood
    of sign-ins cannot overload the machine. It has its own threads, because each thread that has hashed keeps the
    memory of one hash. The constructor computes one hash, so it raises Busy too.
    """

    def __init__(self, parameters: Parameters, *, parallel: int = CORES, max_queued: int = MAX_QUEUED_HASHES) -> None:
        self._parameters = parameters
        self._parallel = parallel
        self._capacity = self._parallel + max_queued
        self._pool = started_pool(self._parallel, "hash")
        self._lock = Lock()
        self._admitted = 0
        started = process_time()
        self._decoy = self.hash(secrets.token_urlsafe(), new_salt())
        self.hashes_per_second = self._parallel / max(process_time() - started, 1e-6)
        """As measured with one hash."""

    @property
    def admitted(self) -> int:
        """The number of hashes that are being computed or queued."""
        return self._admitted

    def hash(self, password: str, salt: bytes) -> str:
        """Return a hash in PHC notation. Raises Busy and PasswordTooLong."""
        return self._compute(password, self._prefix(salt))

    def matching(self, password: str, hashes: Iterable[str]) -> set[str]:
        """Return the hashes that match a password: one computation for each salt and set of parameters among them.

        Without any hash, one is computed anyway, so that the timing is the same for an unknown customer. An imported
        hash has its own cost; one in an unknown format never matches, at the cost of one of ours. A password that is
        too long never matches, at the same cost. Raises Busy.
        """
        hashes = list(hashes)
        try:
            normalised(password)
        except PasswordTooLong:
            self.matching("", hashes)
            return set()
        by_prefix: dict[str, list[str]] = {}
        imported: list[str] = []
        for known in hashes or [self._decoy]:
            if own := _ARGON2ID.fullmatch(known):
                by_prefix.setdefault(own[1], []).append(known)
            else:
                imported.append(known)
        matching = {known for known in imported if self._verifies_legacy(password, known)}
        for prefix, group in by_prefix.items():
            computed = self._compute(password, prefix)
            matching.update(known for known in group if hmac.compare_digest(known, computed))
        return matching - {self._decoy}

    def hash_new(self, password: str, salt: bytes, former: Iterable[str]) -> tuple[str, bool]:
        """Return the hash of a new password, and whether it is one of the `former` ones (including the current one).

        One computation if all of them have this salt and the current parameters. Raises Busy and PasswordTooLong.
        """
        prefix = self._prefix(salt)
        former = list(former)
        same = [known for known in former if known.startswith(prefix + "$")]
        other = [known for known in former if not known.startswith(prefix + "$")]
        computed = self._compute(password, prefix)
        reused = sum(hmac.compare_digest(known, computed) for known in same) > 0  # compares all, in constant time
        return computed, reused or bool(other and self.matching(password, other))

    def is_current(self, known: str, salt: bytes) -> bool:
        """Return whether a hash has the current parameters and the customer's salt."""
        return known.startswith(self._prefix(salt) + "$")

    def _prefix(self, salt: bytes) -> str:
        cost = self._parameters
        text = base64.b64encode(salt).decode().rstrip("=")
        return f"$argon2id$v=19$m={cost.memory_kib},t={cost.time_cost},p={cost.parallelism}${text}"

    def _verifies_legacy(self, password: str, known: str) -> bool:
        """Return whether an imported hash matches a password, normalised or, as its system may have hashed it, not."""
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
            if self._admitted >= self._capacity:
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
    """Return whether a hash failed for lack of memory or threads; Argon2 and OpenSSL have no exception class for it."""
    is_short = isinstance(error, argon2.exceptions.HashingError) and str(error) in _OUT_OF_RESOURCES
    return is_short or isinstance(error, MemoryError) or str(error).endswith("malloc failure")
