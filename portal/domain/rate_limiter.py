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

from portal.storage.rate_limit_counters import REDUCTION, Counters

_throttled = logging.getLogger("portal.throttled")
"""For metrics alone: a log would be flooded."""


@dataclass(frozen=True)
class Guard:
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

    visits: Guard
    """Counts every try of this visitor, and refuses none."""
    tries: Guard
    """Counts those that were let through past the limit, and how many may be."""


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

    def count(self, guards: Sequence[Guard]) -> list[Guard]:
        """Count one try against each guard, in order; raises Throttled at the first that is over its limit.

        Later guards are then not counted: a network that is blocked cannot use up the tries of an address. Returns what
        was counted, to be given back: in place of a guard whose limit is reached it may be what the guard reserves.
        """
        return [counted for guard in guards for counted in self._count(guard)]

    def stand(self, guard: Guard) -> Standing:
        """Count one try and say where that leads, for who is told with every answer."""
        standing = self._stand(guard)
        if standing.is_exceeded:
            _tell(guard)
        return standing

    def forget(self, guard: Guard) -> None:
        """Begin to count anew."""
        self.counters.clear(guard.storage_key)

    def give_back(self, guards: Sequence[Guard]) -> None:
        """Take back one try that was counted and turned out to be no failure."""
        for guard in guards:
            self.counters.incr(guard.storage_key, guard.limit.get_expiry(), -1)

    def _count(self, guard: Guard) -> list[Guard]:
        reserve = guard.reserve
        is_first_visit = reserve is not None and self._stand(reserve.visits).hits == 1
        standing = self._stand(guard)
        if not standing.is_exceeded:
            return [guard] if reserve is None else [guard, reserve.visits]
        if reserve is not None and is_first_visit and not self._stand(reserve.tries).is_exceeded:
            self.give_back([guard])
            return [reserve.visits, reserve.tries]
        _tell(guard)
        raise Throttled(standing.retry_after, first=standing.is_first_excess)

    def _stand(self, guard: Guard) -> Standing:
        hits = self.counters.incr(guard.storage_key, guard.limit.get_expiry())
        amount = guard.reduced_amount if self.counters.is_degraded else guard.limit.amount
        return Standing(amount, hits, partial(self._expiry, guard))

    def _expiry(self, guard: Guard) -> float:
        """Return when a window ends; a whole one from now where the counter has just become out of reach."""
        ends = self.counters.get_expiry(guard.storage_key)
        return ends if ends > time() else time() + guard.limit.get_expiry()


def _tell(guard: Guard) -> None:
    _throttled.debug("throttled", extra={"fields": {"scope": guard.scope}})
