"""What counts, per whom, and how often.

A try is counted before the work it guards, in one atomic step, so that parallel tries cannot slip through; a try that
turned out right is given back, alone. Nobody's success clears what others have counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from time import time

from limits import RateLimitItem
from limits.storage import Storage


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


class Throttled(Exception):
    """A limit is reached. `first` is true for one try in each window, so that the record of it stays small."""

    def __init__(self, retry_after: int, *, first: bool) -> None:
        super().__init__("throttled")
        self.retry_after = retry_after
        self.first = first


class Throttle:
    """Counts tries in a storage of the `limits` library."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def count(self, guards: Sequence[Guard]) -> None:
        """Count one try against each guard, in order; raises Throttled at the first that is over its limit.

        Later guards are then not counted: a network that is blocked cannot use up the tries of an address.
        """
        for guard in guards:
            hits = self._storage.incr(guard.storage_key, guard.limit.get_expiry())
            if hits > guard.limit.amount:
                wait = max(1, ceil(self._storage.get_expiry(guard.storage_key) - time()))
                raise Throttled(wait, first=hits == guard.limit.amount + 1)

    def forget(self, guard: Guard) -> None:
        """Begin to count anew."""
        self._storage.clear(guard.storage_key)

    def give_back(self, guards: Sequence[Guard]) -> None:
        """Take back one try that was counted and turned out to be no failure."""
        for guard in guards:
            self._storage.incr(guard.storage_key, guard.limit.get_expiry(), amount=-1)
