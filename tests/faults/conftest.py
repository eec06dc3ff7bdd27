from collections.abc import Iterator

import pytest

from tests.servers.redis import Redis
from tests.storage.test_migrations import make
from tests.web.conftest import hashes, site, start

__all__ = ["hashes", "make", "site", "start"]


@pytest.fixture
def broken_redis() -> Iterator[Redis]:
    """A Redis server for one test, which may break it."""
    with Redis() as server:
        yield server
