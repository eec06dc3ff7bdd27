"""Counters in Redis or Valkey, shared by all processes; nobody waits for it long, or often, in vain."""

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
"""For a connection to each address of a name, for TLS on top of it, and for each answer.

A new connection asks several things before it is of use (the library says who we are, and which version it is): a
server that is slow and does answer may take as long for each of them.
"""
REST_SECONDS = 2.0
"""How long nobody asks after an answer that did not come; then one caller tries again."""
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
"""As the library's own, but what is given back to a window that has passed is no credit in the next one.

It always writes: a server that takes no writes is found out by it, whatever was asked for.
"""


class RedisCounters(RedisStorage):
    """The library's storage. Raises CountersUnavailable when Redis is away, slow, full, a replica or starting."""

    SCRIPT_INCR_EXPIRE = _INCREMENT

    def __init__(self, uri: str) -> None:
        super().__init__(
            uri,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type] # handed through to redis-py
        )
        self._breaker = CircuitBreaker(REST_SECONDS)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter and return it; a new window of `expiry` seconds starts when there is none."""
        with self._answering():
            return super().incr(key, expiry, amount)

    def get(self, key: str) -> int:
        """A counter's value, 0 when it has none."""
        with self._answering():
            return super().get(key)

    def get_expiry(self, key: str) -> float:
        """When the counter's window ends, in seconds since the epoch."""
        with self._answering():
            return super().get_expiry(key)

    def clear(self, key: str) -> None:
        """Drop one counter."""
        with self._answering():
            super().clear(key)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        if not self._breaker.may_try():
            raise CountersUnavailable
        try:
            yield
        except (RedisError, UnicodeError) as error:  # what the resolver raises for what cannot be a name
            if self._breaker.failed():
                _log.error("limits cannot be shared (%s): this process counts alone, and allows less", _reason(error))
            raise CountersUnavailable from error
        if self._breaker.succeeded():
            _log.warning("limits are shared again")


def _reason(error: Exception) -> str:
    """Its class, and what the system said or else the code that the server's answer begins with.

    Never more of the answer: it may quote what it was sent, a password among it.
    """
    name = type(error).__name__
    cause = error.__context__
    if isinstance(cause, OSError):
        return f"{name}: {getattr(cause, 'verify_message', None) or cause.strerror or cause}"
    word = str(error).partition(" ")[0]
    return f"{name} {word}" if word.isupper() else name
