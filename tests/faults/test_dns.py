"""Host names of the database, of Redis and of the mail server cannot be resolved, or DNS does not answer."""

import socket
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from secrets import token_hex
from time import monotonic

import pytest
from flask_mail import Message
from sqlalchemy import text

from portal.mail import smtp
from portal.mail.smtp import SmtpTransport
from portal.settings import load_settings
from portal.storage import postgresql
from portal.storage.backends import DatabaseUnavailable
from portal.storage.database import open_database
from portal.storage.rate_limit_counters import CountersUnavailable
from portal.storage.redis_counters import RedisCounters
from tests.cli.process import PATIENCE_SECONDS, PORTAL, Served, environment, run_portal, serving
from tests.conftest import SECRET_KEY
from tests.mail.mail_portal import mail_app
from tests.mail.sink import Sink
from tests.servers.nameserver import NameServer
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_until
from tests.servers.redis import Redis
from tests.servers.resolver import Resolver
from tests.servers.reusable_database import ReusableDatabase
from tests.servers.unreachable import dead_addresses
from tests.web.conftest import PASSWORD, Start
from tests.web.expectations import assert_error_page
from tests.web.test_served import CHEAP, Visitor

pytestmark = pytest.mark.full

EMAIL = "ada@example.com"
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
NOT_TOLD = "Temporary failure in name resolution"
SILENT = socket.gaierror(socket.EAI_AGAIN, NOT_TOLD)
LONG_SECONDS = 16
"""A longer time was not limited by the portal: the library would wait 40 seconds for the addresses here."""


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return resolver


@pytest.fixture
def host() -> str:
    """A name that no other test has looked up."""
    return f"{token_hex(8)}.example.com"


@pytest.fixture
def name_server(tmp_path: Path) -> Iterator[NameServer]:
    with NameServer(tmp_path) as server:
        yield server


def renamed(url: str, host: str) -> str:
    return url.replace("127.0.0.1", host)


# PostgreSQL.


@pytest.mark.on_postgresql
@pytest.mark.parametrize("failure", [UNKNOWN, SILENT], ids=["unknown", "silent"])
def test_pages_are_503_while_the_database_host_cannot_be_resolved(
    start: Start, environ: Mapping[str, str], resolver: Resolver, host: str, failure: OSError
) -> None:
    start().customer(EMAIL)
    resolver.leads = {host: failure}
    site = start(DATABASE_URL=renamed(environ["PORTAL_DATABASE_URL"], host))
    browser = site.browser()
    registration = {"email": "bob@example.com", "password": PASSWORD, "first_name": "Bob", "last_name": "Quill"}
    token = browser.open("/login").form("/login").token
    pages = [
        browser.sign_in(EMAIL, PASSWORD),
        browser.open("/register"),
        browser.send("/register", "POST", data={"csrf_token": token, **registration}),
    ]
    assert browser.send("/readyz").status == 503
    assert browser.send("/healthz").status == 200
    for page in pages:
        assert_error_page(page, 503)
        assert 0 < int(page.headers["Retry-After"]) <= 60
    resolver.leads = {host: ["127.0.0.1"]}
    wait_until(lambda: browser.send("/readyz").status == 200, "the portal is ready")
    assert browser.sign_in(EMAIL, PASSWORD).status == 302


@pytest.mark.on_postgresql
def test_a_request_that_waits_for_a_silent_name_server_delays_no_other(resolver: Resolver, host: str) -> None:
    resolver.leads, resolver.seconds = {host: SILENT}, postgresql.SLOW_FAILURE_SECONDS
    database = open_database(f"postgresql+psycopg://postgres@{host}/postgres")
    with pytest.raises(DatabaseUnavailable, match=NOT_TOLD), database.read():
        pass
    with pytest.raises(DatabaseUnavailable, match="a moment ago"), database.read():
        pass
    assert resolver.questions == 1


@pytest.mark.on_postgresql
def test_one_reachable_address_of_the_database_hosts_is_enough(
    resolver: Resolver, postgres: Postgres, host: str
) -> None:
    with dead_addresses(2, postgres.port) as (dead, port):
        resolver.leads = {"gone.example.com": UNKNOWN, host: [*dead, "127.0.0.1"]}
        hosts = f"host=gone.example.com:{port}&host={host}:{port}"
        assert_answers(f"postgresql+psycopg://postgres@/postgres?{hosts}")


def assert_answers(url: str) -> None:
    database = open_database(url)
    with database.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.engine.dispose()


def test_a_configured_hostaddr_is_used_without_dns(resolver: Resolver, postgres: Postgres, host: str) -> None:
    resolver.leads = {host: UNKNOWN}
    assert_answers(f"{renamed(postgres.url(), host)}?hostaddr=127.0.0.1")
    assert resolver.questions == 0


def test_an_invalid_database_host_is_reported_in_one_line(tmp_path: Path) -> None:
    url = "postgresql+psycopg://portal:canary@a..example.com/portal"
    ended = run_portal(tmp_path / "instance", "db", "check", DATABASE_URL=url, SECRET_KEY=SECRET_KEY)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "no host can have this name" in line
    assert "canary" not in line


def test_a_database_with_many_unreachable_addresses_times_out_in_total(resolver: Resolver, host: str) -> None:
    with dead_addresses(20) as (dead, port):
        resolver.leads = {host: dead}
        database = open_database(f"postgresql+psycopg://postgres@{host}:{port}/postgres")
        begun = monotonic()
        with pytest.raises(DatabaseUnavailable), database.read():
            pass
        assert monotonic() - begun < LONG_SECONDS
        with pytest.raises(DatabaseUnavailable, match="a moment ago"), database.read():
            pass


# Redis and the mail server.


def test_an_unreachable_address_of_redis_leaves_time_for_a_reachable_one(
    resolver: Resolver, host: str, broken_redis: Redis
) -> None:
    with dead_addresses(2, broken_redis.port) as (dead, port):
        resolver.leads = {host: [*dead, "127.0.0.1"]}
        assert RedisCounters(f"redis://{host}:{port}/0").incr("a", 60) == 1


def test_a_redis_with_an_invalid_host_is_unavailable() -> None:
    with pytest.raises(CountersUnavailable):
        RedisCounters("redis://a..example.com:6379/0").incr("a", 60)


@pytest.mark.on_sqlite
@pytest.mark.parametrize("how", ["MAIL_USE_SSL", "MAIL_USE_TLS"])
def test_an_unreachable_address_of_the_mail_server_leaves_time_for_a_reachable_one(
    environ: Mapping[str, str], resolver: Resolver, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "CONNECT_SECONDS", 0.2)
    with Sink(tls=how == "MAIL_USE_SSL", starttls=how == "MAIL_USE_TLS") as sink, dead_addresses(2, sink.port) as found:
        monkeypatch.setenv("SSL_CERT_FILE", sink.certificate)
        sink.handshake_seconds = 1.0  # it has more time than a connection
        resolver.leads = {sink.host: [*found[0], "127.0.0.1"]}
        server = {"PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port), f"PORTAL_{how}": "true"}
        transport = SmtpTransport(mail_app(load_settings({**environ, **server})))
        transport.send(Message(recipients=[EMAIL], sender="portal@example.com"), "portal@example.com")
        transport.close()
        assert len(sink.messages) == 1


# The real resolver, with a name server that does not answer.


@pytest.mark.on_postgresql
def test_a_portal_keeps_working_with_a_silent_name_server(
    tmp_path: Path,
    name_server: NameServer,
    reusable_database: ReusableDatabase,
    postgres: Postgres,
    broken_redis: Redis,
) -> None:
    settings = {
        "DATABASE_URL": renamed(reusable_database.wipe().url, "db.example.com"),
        "RATELIMIT_STORAGE_URI": renamed(broken_redis.uri, "redis.example.com"),
        "SECRET_KEY": SECRET_KEY,
        "LOGIN_LIMIT_ACCOUNT": "8 per hour",
        "LOG_FORMAT": "json",
        **CHEAP,
    }
    name_server.silent.add("redis.example.com")
    with serving(tmp_path / "private" / "instance", program=(*name_server.program, PORTAL), **settings) as served:

        def guess(email: str) -> int:
            return Visitor(served).fill("/login", email=email, password="wrong")[0]

        def said(words: str) -> bool:
            return any(words in line for line in served.complaints())

        assert [guess(EMAIL) for _ in range(4)] == [422, 422, 429, 429], "it goes on, with a quarter of the limit"
        wait_until(lambda: said(f"ConnectionError: {NOT_TOLD}"), "the log says why")
        assert Visitor(served).ask("GET", "/readyz")[0] == 200
        # New connections to the database.
        name_server.silent.add("db.example.com")
        wait_until(lambda: is_away(served, postgres), "no name server tells where the database is")
        assert guess("eve@example.com") == 503
        assert Visitor(served).ask("GET", "/healthz")[0] == 200
        # A connection that was closed.
        name_server.unknown.add("db.example.com")
        name_server.silent.clear()
        wait_until(lambda: is_away(served, postgres), "the name is known to be gone")
        name_server.unknown.clear()
        wait_until(lambda: Visitor(served).ask("GET", "/readyz")[0] == 200, "the portal is ready again")
        wait_until(lambda: guess("bob@example.com") == 422 and said("rate limits: shared again"), "Redis is found")


def is_away(served: Served, postgres: Postgres) -> bool:
    cut_off(postgres)
    return Visitor(served).ask("GET", "/readyz")[0] == 503


def cut_off(postgres: Postgres) -> None:
    """Close all connections to the reusable database except its own."""
    with postgres.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'portal'"
        )


@pytest.mark.parametrize(("options", "questions"), [({}, 1), ({"RES_OPTIONS": "timeout:1 attempts:3"}, 3)])
def test_dns_attempts_follow_res_options_and_default_to_one(
    tmp_path: Path, name_server: NameServer, options: Mapping[str, str], questions: int
) -> None:
    name_server.silent.add("db.example.com")
    url = "postgresql+psycopg://portal:canary@db.example.com/portal"
    ended = subprocess.run(
        [*name_server.program, PORTAL, "db", "check"],
        env={**environment(tmp_path / "instance", DATABASE_URL=url, SECRET_KEY=SECRET_KEY), **options},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert NOT_TOLD in line
    assert "canary" not in line
    assert name_server.asked.count("db.example.com") == questions


def test_mails_wait_while_the_dns_lookup_of_the_mail_server_hangs(tmp_path: Path, name_server: NameServer) -> None:
    instance = tmp_path / "private" / "instance"
    name_server.silent.add("mail.example.com")
    with Sink() as sink:
        settings = {"MAIL_SERVER": "mail.example.com", "MAIL_PORT": str(sink.port), "LOG_FORMAT": "json", **CHEAP}
        with serving(instance, program=(*name_server.program, PORTAL), **settings) as served:
            typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
            assert Visitor(served).fill("/register", **typed)[0] == 302
            wait_until(lambda: served.complaints() != [], "the worker gives up")
            assert NOT_TOLD in served.complaints()[0]
            with closing(sqlite3.connect(f"file:{instance / 'portal.sqlite3'}?mode=ro", uri=True)) as connection:
                (row,) = connection.execute("SELECT state, attempts, lease_until FROM outbox").fetchall()
            assert row == ("queued", 0, None)
            name_server.silent.clear()
            assert len(sink.wait_for(1)) == 1
