"""A circuit breaker: after a failed call, further calls fail at once for a while."""

from threading import Lock
from time import monotonic


class CircuitBreaker:
    """Decides whether to call an external system. Thread-safe."""

    def __init__(self, retry_seconds: float) -> None:
        self._retry_seconds = retry_seconds
        self._lock = Lock()
        self._next_try: float | None = None
        """None while the circuit is closed."""

    def may_try(self) -> bool:
        """Return whether to call now: always, or after a failure one caller per `retry_seconds`.

        The caller reports the result with `failed` or `succeeded`.
        """
        with self._lock:
            now = monotonic()
            if self._next_try is None:
                return True
            if now < self._next_try:
                return False
            self._next_try = now + self._retry_seconds
            return True

    def failed(self) -> bool:
        """Report a failure; return whether the last call had succeeded."""
        with self._lock:
            has_changed = self._next_try is None
            self._next_try = monotonic() + self._retry_seconds
            return has_changed

    def succeeded(self) -> bool:
        """Report a success; return whether the last call had failed."""
        with self._lock:
            has_changed = self._next_try is not None
            self._next_try = None
            return has_changed
