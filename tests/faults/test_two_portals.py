"""Two portals on one PostgreSQL and one Redis: what one counts, the other knows."""

from pathlib import Path

from tests.cli.process import serving
from tests.conftest import SECRET_KEY
from tests.servers.redis import Redis
from tests.servers.slate import Slate
from tests.web.test_served import Visitor


def test_two_portals_share_limits_forms_and_customers(tmp_path: Path, slate: Slate, broken_redis: Redis) -> None:
    settings = {
        "DATABASE_URL": slate.wipe().url,
        "RATELIMIT_STORAGE_URI": broken_redis.uri,
        "SECRET_KEY": SECRET_KEY,
        "LOGIN_LIMIT_ACCOUNT": "4 per hour",
        "ARGON2_TIME_COST": "1",
        "ARGON2_MEMORY_KIB": "8",
    }
    with (
        serving(tmp_path / "one" / "instance", **settings) as one,
        serving(tmp_path / "other" / "instance", **settings) as other,
    ):
        guesses = [
            Visitor(served).fill("/login", email="ada@example.com", password=f"wrong {number}")[0]
            for number, served in enumerate([one, other] * 3)
        ]
        assert guesses == [422] * 4 + [429] * 2
        assert one.complaints() == other.complaints() == []
