"""The timeouts in docs/operations.md are those of the code.

Other tests check that they are kept, mostly with shorter ones.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from portal.domain.operations import mail_delivery
from portal.mail import smtp
from portal.server import connection, lifecycle
from portal.storage import postgresql, sqlite
from portal.storage.redis_counters import RedisCounters
from tests.servers.redis import Redis

pytestmark = pytest.mark.full


@pytest.mark.on_sqlite
def test_redis_times_out_after_a_quarter_of_a_second(broken_redis: Redis) -> None:
    storage = RedisCounters(broken_redis.uri)
    storage.incr("a", 60)
    connection: Any = storage.storage.connection_pool.get_connection()
    assert (connection.socket_connect_timeout, connection._sock.gettimeout()) == (0.25, 0.25)


@pytest.mark.on_postgresql
def test_postgresql_times_out_after_2_seconds(environ: Mapping[str, str]) -> None:
    options = postgresql.engine_options(make_url(environ["PORTAL_DATABASE_URL"]))
    assert options["connect_args"]["connect_timeout"] == options["pool_timeout"] == 2
    assert postgresql.SESSION["statement_timeout"] == "2s"
    assert postgresql.TimedConnection.answer_seconds == 2.4


@pytest.mark.on_sqlite
def test_other_servers_time_out_as_documented() -> None:
    assert sqlite.BUSY_SECONDS == 5
    assert (smtp.CONNECT_SECONDS, smtp.COMMAND_SECONDS, smtp.MAIL_SECONDS) == (5, 30, 120)
    assert (mail_delivery.LEASE.total_seconds(), mail_delivery.GIVE_UP_AFTER.total_seconds()) == (60, 24 * 3600)
    assert (connection.REQUEST_SECONDS, lifecycle.GRACEFUL_SECONDS) == (15, 30)
