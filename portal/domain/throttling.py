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

from portal.domain.counters import REDUCTION, Counters

_throttled = logging.getLogger("portal.throttled")
"""For metrics alone: a log would be flooded."""


@dataclass(frozen=True)
class Guard:
    """One limit on one thing: `scope` says what is counted, `key` (canonical) on whom."""

    scope: str
    limit: RateLimitItem
    key: tuple[str, ...]

    @property
    def storage_key(self) -> str:
        """Under which the counter is kept."""
        return self.limit.key_for(self.scope, *self.key)

    @property
    def reduced_amount(self) -> int:
        """How many tries one process allows while counters cannot be shared."""
        return max(1, self.limit.amount // REDUCTION)


class Throttled(Exception):
    """A limit is reached. `first` is true for one try in each window, so that the record of it stays small."""

    def __init__(self, retry_after: int, *, first: bool) -> None:
        super().__init__("throttled")
        self.retry_after = retry_after
        self.first = first


@dataclass(frozen=True)
class Standing:
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


class Throttle:
    """Counts tries; allows a quarter of them while counters cannot be shared."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters

    def count(self, guards: Sequence[Guard]) -> None:
        """Count one try against each guard, in order; raises Throttled at the first that is over its limit.

        Later guards are then not counted: a network that is blocked cannot use up the tries of an address.
        """
        for guard in guards:
            standing = self.stand(guard)
            if standing.is_exceeded:
                raise Throttled(standing.retry_after, first=standing.is_first_excess)

    def stand(self, guard: Guard) -> Standing:
        """Count one try and say where that leads, for who is told with every answer."""
        hits = self.counters.incr(guard.storage_key, guard.limit.get_expiry())
        amount = guard.reduced_amount if self.counters.is_degraded else guard.limit.amount
        standing = Standing(amount, hits, partial(self.counters.get_expiry, guard.storage_key))
        if standing.is_exceeded:
            _throttled.debug("throttled", extra={"fields": {"scope": guard.scope}})
        return standing

    def forget(self, guard: Guard) -> None:
        """Begin to count anew."""
        self.counters.clear(guard.storage_key)

    def give_back(self, guards: Sequence[Guard]) -> None:
        """Take back one try that was counted and turned out to be no failure."""
        for guard in guards:
            self.counters.incr(guard.storage_key, guard.limit.get_expiry(), -1)
