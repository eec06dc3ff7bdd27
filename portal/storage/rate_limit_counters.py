"""The counters of rate limits: shared between processes, or local while the shared ones are unavailable."""

from collections.abc import Callable
from typing import TypeVar

from limits.storage import Storage

from portal.storage.memory_counters import MemoryCounters

T = TypeVar("T")

REDUCTION = 4
"""While counters cannot be shared, each process divides its limits by this, so that a few together allow no more."""


class CountersUnavailable(Exception):
    """The shared storage cannot be used now."""


class FallbackCounters(Storage):
    """A storage of the `limits` library that never fails: it counts in memory while the shared storage is unavailable.

    So customers can sign in without Redis. `is_degraded` tells the rate limiter to reduce the limits meanwhile, so that
    an attacker gets no more attempts. Flask-Limiter (extensions.py) and the domain (rate_limiter.py) share one object.
    """

    STORAGE_SCHEME = None

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self._storage = storage
        self._own = MemoryCounters()
        self.is_degraded = False
        """Whether the last call of the shared storage failed."""

    @property
    def base_exceptions(self) -> type[Exception]:
        """The exceptions that it may raise: none, but the library wants a class."""
        return CountersUnavailable

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter and return it; start a new window of `expiry` seconds if there is none."""
        return self._try(lambda storage: storage.incr(key, expiry, amount))

    def get(self, key: str) -> int:
        """Return a counter, 0 if there is none."""
        return self._try(lambda storage: storage.get(key))

    def get_expiry(self, key: str) -> float:
        """Return the end of a counter's window in seconds since the epoch."""
        return self._try(lambda storage: storage.get_expiry(key))

    def check(self) -> bool:
        """Return True: one of the two storages is always available."""
        return True

    def reset(self) -> int | None:
        self._own.reset()
        return self._storage.reset()

    def clear(self, key: str) -> None:
        self._own.clear(key)
        self._try(lambda storage: storage.clear(key))

    def _try(self, call: Callable[[Storage], T]) -> T:
        try:
            result = call(self._storage)
        except CountersUnavailable:
            self.is_degraded = True
            return call(self._own)
        self.is_degraded = False
        return result
