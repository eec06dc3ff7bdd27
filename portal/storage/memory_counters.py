"""Rate limit counters in the memory of this process: fast and bounded, however many keys an attacker creates.

The memory storage of `limits` regularly scans all keys (14 ms for 100,000 keys). Here the counters of each window
length are in the order of their expiry, so that deleting the expired ones takes constant time each. Windows use the
monotonic clock, so a change of the system clock has no effect on them.
"""

from collections import OrderedDict
from threading import Lock
from time import monotonic, time

from limits.storage import Storage

MAX_KEYS = 200_000
"""Maximum per window length; above it the counters that expire first are deleted (about 40 MB when full)."""


class MemoryCounters(Storage):
    """A storage of the `limits` library with fixed windows that start with their first hit."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._spans: dict[float, OrderedDict[str, list[float]]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """The exceptions that it may raise: none, but the library wants a class."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a counter and return it; start a new window of `expiry` seconds if there is none."""
        now = monotonic()
        with self._lock:
            counters = self._spans.setdefault(expiry, OrderedDict())
            while counters:
                oldest = next(iter(counters))
                if counters[oldest][1] > now and len(counters) <= MAX_KEYS:
                    break
                del counters[oldest]
            counter = counters.get(key)
            if counter is None:
                if amount < 0:  # the attempt to give back was in a window that has ended
                    return 0
                counter = counters[key] = [0, now + expiry]
            counter[0] += amount
            return int(counter[0])

    def get(self, key: str) -> int:
        """Return a counter, 0 if there is none."""
        return int(self._find(key)[0])

    def get_expiry(self, key: str) -> float:
        """Return the end of a counter's window in seconds since the epoch."""
        return time() + self._find(key)[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        """Delete all counters and return their number."""
        with self._lock:
            count = sum(map(len, self._spans.values()))
            self._spans.clear()
            return count

    def clear(self, key: str) -> None:
        with self._lock:
            for counters in self._spans.values():
                counters.pop(key, None)

    def _find(self, key: str) -> tuple[float, float]:
        """Return a counter and the seconds until its window ends."""
        now = monotonic()
        with self._lock:
            for counters in self._spans.values():
                counter = counters.get(key)
                if counter is not None and counter[1] > now:
                    return counter[0], counter[1] - now
        return 0, 0
