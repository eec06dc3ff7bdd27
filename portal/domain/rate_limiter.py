"""Count attempts against rate limits.

An attempt is counted before the work that it limits, in one atomic step, so that parallel attempts cannot exceed the
limit. A successful attempt is given back; it does not reset the counter, which includes other visitors' attempts.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import ceil
from time import time
from types import TracebackType
from typing import Self

from limits import RateLimitItem

from portal.domain.errors import Refused
from portal.storage.rate_limit_counters import REDUCTION, FallbackCounters

_throttled = logging.getLogger("portal.throttled")
"""For the metrics only, at level DEBUG: an attacker could flood the log."""


@dataclass(frozen=True)
class RateLimit:
    """A rate limit: `scope` is what is counted, `key` (in canonical form) is the subject, such as an address."""

    scope: str
    limit: RateLimitItem
    key: tuple[str, ...]
    reserve: "Reserve | None" = None
    """Attempts beyond the limit, for a visitor who was not counted before."""

    @property
    def storage_key(self) -> str:
        return self.limit.key_for(self.scope, *self.key)

    @property
    def reduced_amount(self) -> int:
        """The limit of one process while the counters cannot be shared."""
        return max(1, self.limit.amount // REDUCTION)


@dataclass(frozen=True)
class Reserve:
    """Attempts beyond a limit for visitors who make their first one, so that an attacker cannot use up all of it."""

    visits: RateLimit
    """Counts every attempt of this visitor and refuses none."""
    tries: RateLimit
    """Limits the attempts beyond the limit."""


class RateLimitExceeded(Exception):
    """A rate limit is exceeded; `is_first` is true once per window, to record a single event."""

    def __init__(self, retry_after: int, *, is_first: bool) -> None:
        super().__init__("rate limit exceeded")
        self.retry_after = retry_after
        self.is_first = is_first


@dataclass(frozen=True)
class Window:
    """The state of a limit's window, including the attempt that was just counted."""

    limit: int
    hits: int
    _expiry: Callable[[], float]

    @cached_property
    def resets_at(self) -> float:
        """The end of the window in seconds since the epoch; read from the storage on first use."""
        return self._expiry()

    @property
    def remaining(self) -> int:
        """The number of attempts left in the window."""
        return max(0, self.limit - self.hits)

    @property
    def is_exceeded(self) -> bool:
        return self.hits > self.limit

    @property
    def is_first_excess(self) -> bool:
        """Whether this attempt is the first beyond the limit in its window."""
        return self.hits == self.limit + 1

    @property
    def retry_after(self) -> int:
        """Seconds until the window ends, at least 1."""
        return max(1, ceil(self.resets_at - time()))


class Attempt:
    """A counted attempt; a context manager around the work that it limits.

    It stays counted if the work succeeds or raises Refused. Any other exception gives it back, because the work was not
    done.
    """

    def __init__(self, limiter: "RateLimiter", counted: Sequence[RateLimit]) -> None:
        self._limiter = limiter
        self._counted = counted

    def give_back(self) -> None:
        """Undo the count, because the attempt was no failure."""
        counted, self._counted = self._counted, ()
        self._limiter.give_back(counted)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, Refused):
            self.give_back()


class RateLimiter:
    """Counts attempts; reduces the limits (REDUCTION) while the counters cannot be shared between processes."""

    def __init__(self, counters: FallbackCounters) -> None:
        self.counters = counters

    def attempt(self, limits: Sequence[RateLimit]) -> Attempt:
        """Count an attempt against each limit, in order; raises RateLimitExceeded at the first exceeded one.

        The later limits are then not counted, so that a blocked network cannot use up the attempts of an address. If a
        limit is exceeded and has a reserve, that is counted instead.
        """
        return Attempt(self, [counted for limit in limits for counted in self._count(limit)])

    def hit(self, limit: RateLimit) -> Window:
        """Count an attempt and return the state of its window."""
        window = self._hit(limit)
        if window.is_exceeded:
            _count_excess(limit)
        return window

    def give_back(self, limits: Sequence[RateLimit]) -> None:
        """Undo the count of one attempt on each limit."""
        for limit in limits:
            self._hit(limit, -1)

    def forget(self, limit: RateLimit) -> None:
        """Reset a limit's counter."""
        self.counters.clear(limit.storage_key)

    def _count(self, limit: RateLimit) -> list[RateLimit]:
        reserve = limit.reserve
        is_first_visit = reserve is not None and self._hit(reserve.visits).hits == 1
        window = self._hit(limit)
        if not window.is_exceeded:
            return [limit] if reserve is None else [limit, reserve.visits]
        if reserve is not None and is_first_visit and not self._hit(reserve.tries).is_exceeded:
            self.give_back([limit])
            return [reserve.visits, reserve.tries]
        _count_excess(limit)
        raise RateLimitExceeded(window.retry_after, is_first=window.is_first_excess)

    def _hit(self, limit: RateLimit, amount: int = 1) -> Window:
        hits = self.counters.incr(limit.storage_key, limit.limit.get_expiry(), amount)
        most = limit.reduced_amount if self.counters.is_degraded else limit.limit.amount
        return Window(most, hits, partial(self._expiry, limit))

    def _expiry(self, limit: RateLimit) -> float:
        """Return the end of a window; a whole window from now if its counter is gone."""
        ends = self.counters.get_expiry(limit.storage_key)
        return ends if ends > time() else time() + limit.limit.get_expiry()


def _count_excess(limit: RateLimit) -> None:
    _throttled.debug("throttled", extra={"fields": {"scope": limit.scope}})
