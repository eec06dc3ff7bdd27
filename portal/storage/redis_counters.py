"""Rate limit counters in Redis or Valkey, shared by all processes, with short timeouts and a circuit breaker."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from limits.storage.redis import RedisStorage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from portal.storage.circuit_breaker import CircuitBreaker
from portal.storage.rate_limit_counters import CountersUnavailable

_log = logging.getLogger("portal.throttle")

TIMEOUT_SECONDS = 0.25
"""For a connection to each address of a name, for the TLS handshake, and for each answer.

The library sends several commands on a new connection (its name and version), and a slow server may take this long for
each of them.
"""
RETRY_SECONDS = 2.0
"""After a failure, Redis is not called for this time; then one caller tries again."""
_INCREMENT = b"""
local amount = tonumber(ARGV[2])
if amount < 0 and redis.call("exists", KEYS[1]) == 0 then
    redis.call("set", KEYS[1], 0, "ex", ARGV[1])
    return 0
end
local hits = redis.call("incrby", KEYS[1], amount)
if amount > 0 and hits == amount then
    redis.call("expire", KEYS[1], ARGV[1])
end
return hits
"""
"""The library's script, except that an attempt given back after the end of its window is no credit in the next one.

It always writes, so that a read-only server is detected in any case.
"""


class RedisCounters(RedisStorage):
    """The library's storage, but raises CountersUnavailable if Redis is down, slow, full, a replica or starting."""

    SCRIPT_INCR_EXPIRE = _INCREMENT

    def __init__(self, uri: str) -> None:
        super().__init__(
            uri,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type] # passed on to redis-py
        )
        self._breaker = CircuitBreaker(RETRY_SECONDS)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter and return it; start a new window of `expiry` seconds if there is none."""
        with self._translated_errors():
            return super().incr(key, expiry, amount)

    def get(self, key: str) -> int:
        """Return a counter, 0 if there is none."""
        with self._translated_errors():
            return super().get(key)

    def get_expiry(self, key: str) -> float:
        """Return the end of a counter's window in seconds since the epoch."""
        with self._translated_errors():
            return super().get_expiry(key)

    def clear(self, key: str) -> None:
        with self._translated_errors():
            super().clear(key)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        if not self._breaker.may_try():
            raise CountersUnavailable
        try:
            yield
        except (RedisError, UnicodeError) as error:  # UnicodeError: the resolver's error for an invalid name
            if self._breaker.failed():
                _log.error(
                    "rate limits: Redis failed (%s); this process counts alone, with lower limits", _reason(error)
                )
            raise CountersUnavailable from error
        if self._breaker.succeeded():
            _log.warning("rate limits: shared again")


def _reason(error: Exception) -> str:
    """Return the class of an error with the system's message, or with the code of the server's answer.

    Never more of the answer: it may quote the command, with a password.
    """
    name = type(error).__name__
    cause = error.__context__
    if isinstance(cause, OSError):
        return f"{name}: {getattr(cause, 'verify_message', None) or cause.strerror or cause}"
    word = str(error).partition(" ")[0]
    return f"{name} {word}" if word.isupper() else name
