"""Redis is off, slow, flushed, full, read-only, restarted: customers sign in, and sign-ins stay limited."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from limits import parse as parse_limit

from portal.domain.rate_limiter import Attempt, RateLimit, RateLimiter, RateLimitExceeded
from portal.storage import redis_counters
from portal.storage.rate_limit_counters import FallbackCounters
from portal.storage.redis_counters import RedisCounters
from tests.api.shop import new_shop
from tests.cli.process import serving
from tests.cli.test_metrics import scrape
from tests.domain.instrumentation import in_parallel
from tests.servers.processes import free_port, wait_until
from tests.servers.redis import PATIENCE_SECONDS, PATIENT_PORTAL, Redis
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.test_served import Visitor

pytestmark = [pytest.mark.on_sqlite, pytest.mark.full]

GUARD = RateLimit("login-account", parse_limit("8 per hour"), ("1", "ada@example.com"))
EMAIL = "ada@example.com"
FROZEN_SECONDS = 0.5
Break = Callable[[Redis], None]


def fill(redis: Redis) -> None:
    redis.client.set("something else", "x" * 2_000_000)
    redis.client.config_set("maxmemory", "1mb")
    redis.client.config_set("maxmemory-policy", "noeviction")


def make_replica(redis: Redis) -> None:
    redis.client.replicaof("127.0.0.1", 1)


def empty(redis: Redis) -> None:
    redis.client.config_set("maxmemory", "0")


def make_master(redis: Redis) -> None:
    redis.client.replicaof("NO", "ONE")


BREAKS: dict[str, tuple[Break, Break]] = {
    "off": (Redis.stop, Redis.start),
    "frozen": (Redis.freeze, Redis.thaw),
    "full": (fill, empty),
    "read-only": (make_replica, make_master),
}


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers is waited for; with one that stands still, each wait ends in a timeout."""
    is_frozen = request.node.name.endswith("frozen]")
    monkeypatch.setattr(redis_counters, "TIMEOUT_SECONDS", FROZEN_SECONDS if is_frozen else PATIENCE_SECONDS)


@pytest.fixture
def quick_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_counters, "RETRY_SECONDS", 0.05)


def tries_allowed(rate_limiter: RateLimiter, most: int = 20) -> int:
    standings = [rate_limiter.hit(GUARD) for _ in range(most)]
    assert all(standing.retry_after > 0 for standing in standings)
    return [standing.is_exceeded for standing in standings].count(False)


def problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]


def test_two_processes_share_their_counters(broken_redis: Redis) -> None:
    one, other = (RateLimiter(FallbackCounters(RedisCounters(broken_redis.uri))) for _ in range(2))
    for _ in range(4):
        one.attempt([GUARD])
        other.attempt([GUARD])
    with pytest.raises(RateLimitExceeded) as caught:
        one.attempt([GUARD])
    assert caught.value.is_first
    assert 0 < caught.value.retry_after <= 3600
    one.give_back([GUARD])
    other.give_back([GUARD])
    one.attempt([GUARD])


def test_parallel_hits_are_limited_exactly(broken_redis: Redis) -> None:
    rate_limiter = RateLimiter(FallbackCounters(RedisCounters(broken_redis.uri)))
    outcomes = in_parallel([lambda: rate_limiter.attempt([GUARD])] * 40)
    assert sum(isinstance(outcome, Attempt) for outcome in outcomes) == 8


def test_a_window_is_not_extended_and_a_late_give_back_is_no_credit(broken_redis: Redis) -> None:
    storage = RedisCounters(broken_redis.uri)
    storage.incr("a", 60)
    [key] = broken_redis.client.keys()
    broken_redis.client.expire(key, 30)
    storage.incr("a", 60)
    storage.incr("a", 60, -1)
    assert 0 < int(broken_redis.client.ttl(key)) <= 30
    broken_redis.client.delete(key)
    assert storage.incr("a", 60, -1) == 0
    assert storage.incr("a", 60) == 1
    assert int(broken_redis.client.ttl(key)) > 30


@pytest.mark.usefixtures("quick_again")
@pytest.mark.parametrize("name", BREAKS)
def test_without_redis_a_process_counts_alone_with_a_quarter_of_the_limit(
    broken_redis: Redis, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    break_it, mend_it = BREAKS[name]
    rate_limiter = RateLimiter(FallbackCounters(RedisCounters(broken_redis.uri)))
    for _ in range(3):
        rate_limiter.attempt([GUARD])
    break_it(broken_redis)
    assert tries_allowed(rate_limiter) == 2
    assert len(problems(caplog)) == 1
    assert "rate limits: Redis failed" in problems(caplog)[0]
    mend_it(broken_redis)
    wait_until(lambda: not rate_limiter.hit(GUARD).is_exceeded or len(problems(caplog)) == 2, "shared again")
    assert problems(caplog)[1:] == ["rate limits: shared again"]


@pytest.mark.parametrize("name", BREAKS)
def test_without_redis_the_limit_of_a_key_stays_and_that_of_forms_is_a_quarter(
    start: Start, broken_redis: Redis, name: str
) -> None:
    site = start(
        RATELIMIT_STORAGE_URI=broken_redis.uri, API_LIMIT_PROD="8 per minute", FORM_LIMIT_NETWORK="20 per minute"
    )
    shop = new_shop(site)
    browser = site.browser()
    BREAKS[name][0](broken_redis)
    assert [shop.post("logout", identityId="x").status for _ in range(9)] == [200] * 8 + [429]
    form = browser.open("/login").form("/language")
    assert [browser.post(form, {"locale": "en"}).status for _ in range(6)] == [302] * 5 + [429]


def test_while_redis_hangs_only_one_request_waits_for_it(broken_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_counters, "RETRY_SECONDS", 3600)
    monkeypatch.setattr(redis_counters, "TIMEOUT_SECONDS", FROZEN_SECONDS)
    rate_limiter = RateLimiter(FallbackCounters(RedisCounters(broken_redis.uri)))
    rate_limiter.hit(GUARD)
    broken_redis.freeze()
    for _ in range(200):
        rate_limiter.hit(GUARD)
    broken_redis.thaw()
    wait_until(lambda: calls(broken_redis) >= 2, "Redis goes on")
    assert calls(broken_redis) == 2, "each request waits for a server that stands still"


def calls(redis: Redis) -> int:
    """Count the requests for a counter."""
    commands = redis.client.info("commandstats")
    assert isinstance(commands, dict)
    return int(commands.get("cmdstat_incrby", {}).get("calls", 0))


def test_a_restart_between_two_requests_causes_no_error(broken_redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    rate_limiter = RateLimiter(FallbackCounters(RedisCounters(broken_redis.uri)))
    rate_limiter.attempt([GUARD])
    broken_redis.stop()
    broken_redis.start()
    assert tries_allowed(rate_limiter) == 8
    assert problems(caplog) == []


def test_a_flush_resets_the_counters_only(broken_redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    rate_limiter = RateLimiter(FallbackCounters(RedisCounters(broken_redis.uri)))
    assert tries_allowed(rate_limiter) == 8
    broken_redis.client.flushall()
    broken_redis.client.script_flush()
    assert tries_allowed(rate_limiter) == 8
    assert problems(caplog) == []


def test_no_password_of_redis_is_logged(caplog: pytest.LogCaptureFixture, broken_redis: Redis) -> None:
    port = broken_redis.port
    broken_redis.stop()
    RateLimiter(FallbackCounters(RedisCounters(f"redis://user:canary@127.0.0.1:{port}/0"))).hit(GUARD)
    assert len(problems(caplog)) == 1
    assert "canary" not in caplog.text


def test_no_answer_of_redis_that_may_quote_a_command_is_logged(
    caplog: pytest.LogCaptureFixture, broken_redis: Redis
) -> None:
    broken_redis.client.acl_setuser("canary", enabled=True, passwords=["+canary"], commands=["+ping"])
    RateLimiter(FallbackCounters(RedisCounters(f"redis://canary:canary@127.0.0.1:{broken_redis.port}/0"))).hit(GUARD)
    assert len(problems(caplog)) == 1
    assert "(NoPermissionError)" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.usefixtures("quick_again")
@pytest.mark.parametrize("name", BREAKS)
def test_without_redis_customers_sign_in_and_attackers_are_limited(
    start: Start, broken_redis: Redis, hashes: list[bytes], name: str
) -> None:
    break_it, _ = BREAKS[name]
    site = start(RATELIMIT_STORAGE_URI=broken_redis.uri)
    site.customer(EMAIL)
    break_it(broken_redis)
    assert [site.browser().sign_in(EMAIL, PASSWORD).status for _ in range(5)] == [302] * 5
    hashes.clear()
    guesses = [site.browser(f"192.0.2.{n}").sign_in(EMAIL, "wrong") for n in range(6)]
    assert [page.status for page in guesses] == [422, 422, 429, 429, 429, 429]
    assert len(hashes) == 2
    assert all(int(page.headers["Retry-After"]) > 0 for page in guesses[2:])
    assert [ask_for_reset(site, number) for number in (1, 1, 2, 2, 3)] == [302, 429, 302, 429, 429]


def ask_for_reset(site: Site, number: int) -> int:
    return site.browser(f"198.51.100.{number}").ask_for_reset(EMAIL).status


def test_bans_and_locked_passwords_are_not_stored_in_redis(start: Start, broken_redis: Redis) -> None:
    site = start(RATELIMIT_STORAGE_URI=broken_redis.uri, LOGIN_LIMIT_ACCOUNT="1000 per hour")
    site.customer(EMAIL)
    site.customer("eve@example.com")
    site.ban("eve@example.com")
    for number in range(100):
        assert site.browser(f"192.0.2.{number}").sign_in(EMAIL, "wrong").status == 422
    broken_redis.client.flushall()
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 422
    assert site.browser().sign_in("eve@example.com", PASSWORD).status == 422


def test_a_redis_outage_is_logged_and_not_shown_to_visitors(tmp_path: Path, broken_redis: Redis) -> None:
    port = free_port()
    settings = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8", "LOGIN_LIMIT_ACCOUNT": "8 per hour"}
    settings |= {"METRICS_PORT": str(port), "RATELIMIT_STORAGE_URI": broken_redis.uri}
    with serving(tmp_path / "instance", program=PATIENT_PORTAL, **settings) as served:

        def guess(email: str = EMAIL) -> int:
            return Visitor(served).fill("/login", email=email, password="wrong")[0]

        def said(words: str) -> int:
            return sum(words in line for line in served.log.read_text().splitlines())

        assert guess() == 422
        broken_redis.stop()
        assert [guess() for _ in range(4)] == [422, 422, 429, 429]
        wait_until(lambda: said("rate limits: Redis failed") == 1, "the log says that they are not")
        broken_redis.start()
        statuses: list[int] = []

        def is_shared_again() -> bool:
            statuses.append(guess(f"{len(statuses)}@example.com"))
            return said("rate limits: shared again") == 1

        wait_until(is_shared_again, "the log says that they are")
        assert set(statuses) <= {422, 429}
        assert scrape(port)['portal_throttled_total{scope="login-account"}'] == 2
        assert said('"throttled"') == 0, "a line for each try that is refused would flood the log"
