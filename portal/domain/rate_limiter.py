"""What counts, per whom, and how often.

A try is counted before the work it guards, in one atomic step, so that parallel tries cannot slip through; a try that
turned out right is given back, alone. Nobody's success clears what others have counted.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import ceil
from time import time

from limits import RateLimitItem

from portal.storage.rate_limit_counters import REDUCTION, FallbackCounters

_throttled = logging.getLogger("portal.throttled")
"""For metrics alone: a log would be flooded."""


@dataclass(frozen=True)
class RateLimit:
    """One limit on one thing: `scope` says what is counted, `key` (canonical) on whom."""

    scope: str
    limit: RateLimitItem
    key: tuple[str, ...]
    reserve: "Reserve | None" = None
    """What is left past the limit for whoever was not counted before."""

    @property
    def storage_key(self) -> str:
        """Under which the counter is kept."""
        return self.limit.key_for(self.scope, *self.key)

    @property
    def reduced_amount(self) -> int:
        """How many tries one process allows while counters cannot be shared."""
        return max(1, self.limit.amount // REDUCTION)


@dataclass(frozen=True)
class Reserve:
    """Tries past a limit that only a visitor may use whose first one it is: others cannot use up the whole limit."""

    visits: RateLimit
    """Counts every try of this visitor, and refuses none."""
    tries: RateLimit
    """Counts those that were let through past the limit, and how many may be."""


class RateLimitExceeded(Exception):
    """A limit is reached. `first` is true for one try in each window, so that the record of it stays small."""

    def __init__(self, retry_after: int, *, first: bool) -> None:
        super().__init__("throttled")
        self.retry_after = retry_after
        self.first = first


@dataclass(frozen=True)
class Window:
    """Where somebody stands in the window of a limit, the try just counted included."""

    limit: int
    hits: int
    _expiry: Callable[[], float]

    @cached_property
    def resets_at(self) -> float:
        """When the window ends, in seconds since the epoch; asked of the storage only when somebody wants to know."""
        return self._expiry()

    @property
    def remaining(self) -> int:
        """How many more tries the window allows."""
        return max(0, self.limit - self.hits)

    @property
    def is_exceeded(self) -> bool:
        """Whether the try was one too many."""
        return self.hits > self.limit

    @property
    def is_first_excess(self) -> bool:
        """True for one try in each window, so that the record of it stays small."""
        return self.hits == self.limit + 1

    @property
    def retry_after(self) -> int:
        """Seconds after which another try is worth it."""
        return max(1, ceil(self.resets_at - time()))


class RateLimiter:
    """Counts tries; allows a quarter of them while counters cannot be shared."""

    def __init__(self, counters: FallbackCounters) -> None:
        self.counters = counters

    def count(self, limits: Sequence[RateLimit]) -> list[RateLimit]:
        """Count one try against each guard, in order; raises Throttled at the first that is over its limit.

        Later guards are then not counted: a network that is blocked cannot use up the tries of an address. Returns what
        was counted, to be given back: in place of a guard whose limit is reached it may be what the guard reserves.
        """
        return [counted for limit in limits for counted in self._count(limit)]

    def stand(self, limit: RateLimit) -> Window:
        """Count one try and say where that leads, for who is told with every answer."""
        window = self._stand(limit)
        if window.is_exceeded:
            _tell(limit)
        return window

    def forget(self, limit: RateLimit) -> None:
        """Begin to count anew."""
        self.counters.clear(limit.storage_key)

    def give_back(self, limits: Sequence[RateLimit]) -> None:
        """Take back one try that was counted and turned out to be no failure."""
        for limit in limits:
            self.counters.incr(limit.storage_key, limit.limit.get_expiry(), -1)

    def _count(self, limit: RateLimit) -> list[RateLimit]:
        reserve = limit.reserve
        is_first_visit = reserve is not None and self._stand(reserve.visits).hits == 1
        window = self._stand(limit)
        if not window.is_exceeded:
            return [limit] if reserve is None else [limit, reserve.visits]
        if reserve is not None and is_first_visit and not self._stand(reserve.tries).is_exceeded:
            self.give_back([limit])
            return [reserve.visits, reserve.tries]
        _tell(limit)
        raise RateLimitExceeded(window.retry_after, first=window.is_first_excess)

    def _stand(self, limit: RateLimit) -> Window:
        hits = self.counters.incr(limit.storage_key, limit.limit.get_expiry())
        amount = limit.reduced_amount if self.counters.is_degraded else limit.limit.amount
        return Window(amount, hits, partial(self._expiry, limit))

    def _expiry(self, limit: RateLimit) -> float:
        """Return when a window ends; a whole one from now where the counter has just become out of reach."""
        ends = self.counters.get_expiry(limit.storage_key)
        return ends if ends > time() else time() + limit.limit.get_expiry()


def _tell(limit: RateLimit) -> None:
    _throttled.debug("throttled", extra={"fields": {"scope": limit.scope}})
