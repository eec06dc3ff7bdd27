"""A PostgreSQL and a Redis for a benchmark; commits wait for the disk, as in production."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from secrets import token_urlsafe

from benchmarks.cpu import family_cpu_seconds
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "wal_level": "replica"}
_NAMES = (f"bench_{number}" for number in count())


@dataclass(frozen=True)
class Backends:
    """Both servers while they run."""

    postgres: Postgres
    redis: Redis

    def new_settings(self) -> Mapping[str, str]:
        """Create an empty database, and return the settings of a portal that uses it."""
        return {
            "DATABASE_URL": self.postgres.new_database(next(_NAMES)),
            "RATELIMIT_STORAGE_URI": self.redis.uri,
            "SECRET_KEY": token_urlsafe(48),
        }

    def cpu_seconds(self) -> float:
        """Return the CPU time of both with all their processes."""
        return family_cpu_seconds([self.postgres.pid, self.redis.pid])


@contextmanager
def running_backends() -> Iterator[Backends]:
    """Start both, and remove them with all that they stored."""
    with Postgres(shared_buffers="128MB", **_DURABLE) as postgres, Redis() as redis:
        yield Backends(postgres, redis)
