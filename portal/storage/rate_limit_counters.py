"""The counters of rate limits: those that processes share, and this process's own while the shared ones are away."""

from collections.abc import Callable
from typing import TypeVar

from limits.storage import Storage

from portal.storage.memory_counters import MemoryCounters

T = TypeVar("T")

REDUCTION = 4
"""While counters cannot be shared, limits are a fourth: a few processes together allow no more than usual."""


class CountersUnavailable(Exception):
    """The storage that processes share cannot be used for now."""


class FallbackCounters(Storage):
    """A storage of the `limits` library that never fails: it counts in this process's memory while the other is away.

    So customers get in while Redis is away. `is_degraded` lets limits be reduced meanwhile, so that an attacker cannot
    guess more. Flask-Limiter (extensions.py) and the domain (rate_limiter.py) count in the same one.
    """

    STORAGE_SCHEME = None

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self._storage = storage
        self._own = MemoryCounters()
        self.is_degraded = False
        """Whether the last look at the shared counters failed."""

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what may go wrong: nothing that a caller should expect."""
        return CountersUnavailable

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter and return it; a new window of `expiry` seconds starts when there is none."""
        return self._try(lambda storage: storage.incr(key, expiry, amount))

    def get(self, key: str) -> int:
        """Return a counter's value, 0 when it has none."""
        return self._try(lambda storage: storage.get(key))

    def get_expiry(self, key: str) -> float:
        """Return when the counter's window ends, in seconds since the epoch."""
        return self._try(lambda storage: storage.get_expiry(key))

    def check(self) -> bool:
        """Return True: one of the two is always there."""
        return True

    def reset(self) -> int | None:
        """Drop all counters."""
        self._own.reset()
        return self._storage.reset()

    def clear(self, key: str) -> None:
        """Drop one counter."""
        self._own.clear(key)
        self._try(lambda storage: storage.clear(key))

    def _try(self, act: Callable[[Storage], T]) -> T:
        try:
            found = act(self._storage)
        except CountersUnavailable:
            self.is_degraded = True
            return act(self._own)
        self.is_degraded = False
        return found
