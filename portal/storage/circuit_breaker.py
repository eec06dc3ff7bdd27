"""A circuit breaker: what has kept somebody waiting in vain keeps nobody else waiting for a while."""

from threading import Lock
from time import monotonic


class CircuitBreaker:
    """Says whether something is worth a try. Safe to share between threads."""

    def __init__(self, rest_seconds: float) -> None:
        self._rest_seconds = rest_seconds
        self._lock = Lock()
        self._next_try: float | None = None
        """None while all is well."""

    def may_try(self) -> bool:
        """Whether to try: always while all is well, else one caller after each rest. Say then how it went."""
        with self._lock:
            now = monotonic()
            if self._next_try is None:
                return True
            if now < self._next_try:
                return False
            self._next_try = now + self._rest_seconds
            return True

    def failed(self) -> bool:
        """It did not work. Whether that is news."""
        with self._lock:
            is_news = self._next_try is None
            self._next_try = monotonic() + self._rest_seconds
            return is_news

    def succeeded(self) -> bool:
        """It worked. Whether that is news."""
        with self._lock:
            is_news = self._next_try is not None
            self._next_try = None
            return is_news
