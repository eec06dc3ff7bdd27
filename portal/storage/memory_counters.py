"""Counters in the memory of this process: fast and bounded however many addresses are tried.

The storage that `limits` brings walks every live key now and then (14 ms at 100,000 keys), which a stranger can bring
about. Here the counters of one span are kept in the order in which they expire, so that dropping the expired ones
costs a step for each, once. A clock that is set back or forward changes no window: time is counted from the start of
the machine.
"""

from collections import OrderedDict
from threading import Lock
from time import monotonic, time

from limits.storage import Storage

MAX_KEYS = 200_000
"""For each span of time; past it the counters that would expire first go (about 40 MB when full)."""


class MemoryCounters(Storage):
    """Fixed windows that start with their first hit, behind the interface of `limits`."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._spans: dict[float, OrderedDict[str, list[float]]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """What may go wrong: nothing."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a counter and return it; a new window of `expiry` seconds starts when there is none."""
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
                if amount < 0:  # what is given back belonged to a window that has passed
                    return 0
                counter = counters[key] = [0, now + expiry]
            counter[0] += amount
            return int(counter[0])

    def get(self, key: str) -> int:
        """A counter's value, 0 when it has none."""
        return int(self._find(key)[0])

    def get_expiry(self, key: str) -> float:
        """When the counter's window ends, in seconds since the epoch."""
        return time() + self._find(key)[1]

    def check(self) -> bool:
        """Always there."""
        return True

    def reset(self) -> int:
        """Drop all counters and say how many there were."""
        with self._lock:
            count = sum(map(len, self._spans.values()))
            self._spans.clear()
            return count

    def clear(self, key: str) -> None:
        """Drop one counter."""
        with self._lock:
            for counters in self._spans.values():
                counters.pop(key, None)

    def _find(self, key: str) -> tuple[float, float]:
        """A counter's value, and for how many seconds it holds."""
        now = monotonic()
        with self._lock:
            for counters in self._spans.values():
                counter = counters.get(key)
                if counter is not None and counter[1] > now:
                    return counter[0], counter[1] - now
        return 0, 0
