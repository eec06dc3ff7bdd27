"""F26: names of the database, of Redis and of the mail server cannot be resolved: at once, or the resolver hangs."""

import socket
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from secrets import token_hex
from time import monotonic

import pytest
from sqlalchemy import text

from portal.domain import shared_storage
from portal.domain.backends import DatabaseAway
from portal.domain.counters import StorageAway
from portal.domain.database import open_database
from portal.domain.shared_storage import SharedStorage
from portal.mail import smtp
from portal.mail.smtp import SmtpTransport
from portal.mail.transport import ServerUnavailable
from portal.settings import load_settings
from tests.cli.process import PORTAL, Served, environment, run_portal, serving
from tests.conftest import SECRET_KEY
from tests.mail.sink import Sink
from tests.servers.dead import dead_addresses
from tests.servers.nameserver import NameServer
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_until
from tests.servers.redis import Redis
from tests.servers.resolver import Resolver
from tests.servers.slate import Slate
from tests.web.conftest import PASSWORD, Start
from tests.web.expectations import assert_error_page
from tests.web.test_served import CHEAP, Visitor

EMAIL = "ada@example.com"
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
LONG_SECONDS = 16
"""What takes longer was not bounded by us: the resolvers here have a patience of 25 seconds, the addresses take 40."""


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.answers.set()


@pytest.fixture
def host() -> str:
    """A name that no other test has asked for."""
    return f"{token_hex(8)}.example.com"


@pytest.fixture
def name_server(tmp_path: Path) -> Iterator[NameServer]:
    with NameServer(tmp_path) as server:
        yield server


def renamed(url: str, host: str) -> str:
    return url.replace("127.0.0.1", host)


# PostgreSQL.


@pytest.mark.on_postgresql
@pytest.mark.parametrize("hangs", [False, True], ids=["unknown", "hanging"])
def test_while_the_databases_name_leads_nowhere_pages_are_503_and_all_is_well_after(
    start: Start, environ: Mapping[str, str], resolver: Resolver, host: str, *, hangs: bool
) -> None:
    start().customer(EMAIL)
    resolver.leads = {host: ["127.0.0.1"] if hangs else UNKNOWN}
    if hangs:
        resolver.answers.clear()
    site = start(DATABASE_URL=renamed(environ["PORTAL_DATABASE_URL"], host))
    browser = site.browser()
    begun = monotonic()
    pages = [browser.sign_in(EMAIL, PASSWORD), browser.register("bob@example.com", PASSWORD)]
    assert browser.send("/readyz").status == 503
    assert browser.send("/healthz").status == 200
    assert monotonic() - begun < LONG_SECONDS
    for page in pages:
        assert_error_page(page, 503)
        assert 0 < int(page.headers["Retry-After"]) <= 60
    resolver.leads = {host: ["127.0.0.1"]}
    resolver.answers.set()
    wait_until(lambda: browser.send("/readyz").status == 200, "the portal is ready")
    assert browser.sign_in(EMAIL, PASSWORD).status == 302


@pytest.mark.on_postgresql
def test_of_several_hosts_and_addresses_one_that_leads_to_the_database_is_enough(
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


def test_an_address_that_the_operator_names_is_taken_and_nobody_asked(
    resolver: Resolver, postgres: Postgres, host: str
) -> None:
    resolver.leads = {host: UNKNOWN}
    assert_answers(f"{renamed(postgres.url(), host)}?hostaddr=127.0.0.1")
    assert resolver.questions == 0


def test_a_database_whose_name_cannot_be_one_is_told_in_one_line(tmp_path: Path) -> None:
    url = "postgresql+psycopg://portal:canary@a..example.com/portal"
    ended = run_portal(tmp_path / "instance", "db", "check", DATABASE_URL=url, SECRET_KEY=SECRET_KEY)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "no host can have this name" in line
    assert "canary" not in line


def test_a_database_of_many_dead_addresses_is_given_up_in_time(resolver: Resolver, host: str) -> None:
    with dead_addresses(20) as (dead, port):
        resolver.leads = {host: dead}
        database = open_database(f"postgresql+psycopg://postgres@{host}:{port}/postgres")
        begun = monotonic()
        with pytest.raises(DatabaseAway), database.read():
            pass
        assert monotonic() - begun < LONG_SECONDS
        with pytest.raises(DatabaseAway, match="a moment ago"), database.read():
            pass


# Redis and the mail server.


def test_a_redis_of_many_dead_addresses_is_given_up_in_time(
    resolver: Resolver, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_storage, "TIMEOUT_SECONDS", 1)
    with dead_addresses(40) as (dead, port):
        resolver.leads = {host: dead}
        begun = monotonic()
        with pytest.raises(StorageAway):
            SharedStorage(f"redis://{host}:{port}/0").incr("a", 60)
        assert monotonic() - begun < LONG_SECONDS


def test_a_redis_whose_name_cannot_be_one_is_away() -> None:
    with pytest.raises(StorageAway):
        SharedStorage("redis://a..example.com:6379/0").incr("a", 60)


@pytest.mark.on_sqlite
@pytest.mark.parametrize("how", ["MAIL_USE_SSL", "MAIL_USE_TLS"])
def test_a_mail_server_of_many_dead_addresses_is_given_up_in_time(
    environ: Mapping[str, str], resolver: Resolver, host: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "CONNECT_SECONDS", 1)
    with dead_addresses(40) as (dead, port):
        resolver.leads = {host: dead}
        server = {"PORTAL_MAIL_SERVER": host, "PORTAL_MAIL_PORT": str(port), f"PORTAL_{how}": "true"}
        begun = monotonic()
        with pytest.raises(ServerUnavailable, match="timed out"):
            SmtpTransport(load_settings({**environ, **server})).send(EmailMessage(), EMAIL, "portal@example.com")
        assert monotonic() - begun < LONG_SECONDS


@pytest.mark.on_sqlite
def test_a_mail_server_of_many_addresses_may_take_its_time_to_encrypt(
    environ: Mapping[str, str], resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink(tls=True) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", sink.certificate)
        sink.handshake_seconds = 1.0
        resolver.leads = {sink.host: [f"127.0.0.{number}" for number in range(1, 21)]}
        server = {"PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port), "PORTAL_MAIL_USE_SSL": "true"}
        transport = SmtpTransport(load_settings({**environ, **server}))
        transport.send(EmailMessage(), EMAIL, "portal@example.com")
        transport.close()
        assert len(sink.messages) == 1


# The real resolver, with a name server that is silent.


@pytest.mark.on_postgresql
def test_a_portal_lives_with_a_silent_name_server(
    tmp_path: Path, name_server: NameServer, slate: Slate, postgres: Postgres, broken_redis: Redis
) -> None:
    settings = {
        "DATABASE_URL": renamed(slate.wipe().url, "db.example.com"),
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

        begun = monotonic()
        assert [guess(EMAIL) for _ in range(4)] == [422, 422, 429, 429], "it goes on, with a quarter of the limit"
        wait_until(lambda: said("no name server told in time where redis.example.com leads"), "the log says why")
        # New connections to a database whose address was known.
        name_server.silent.add("db.example.com")
        cut_off(postgres)
        assert Visitor(served).ask("GET", "/readyz")[0] == 200
        assert guess("eve@example.com") == 422
        assert monotonic() - begun < LONG_SECONDS
        # One that there is no more.
        name_server.unknown.add("db.example.com")
        name_server.silent.clear()
        wait_until(lambda: is_away(served, postgres), "the name is known to be gone")
        name_server.unknown.clear()
        wait_until(lambda: Visitor(served).ask("GET", "/readyz")[0] == 200, "the portal is ready again")
        wait_until(lambda: guess("bob@example.com") == 422 and said("limits are shared again"), "Redis is found")


def is_away(served: Served, postgres: Postgres) -> bool:
    cut_off(postgres)
    return Visitor(served).ask("GET", "/readyz")[0] == 503


def cut_off(postgres: Postgres) -> None:
    """End all connections to the slate but its own."""
    with postgres.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'portal'"
        )


def test_no_command_hangs_with_the_resolver(tmp_path: Path, name_server: NameServer) -> None:
    name_server.silent.add("db.example.com")
    url = "postgresql+psycopg://portal:canary@db.example.com/portal"
    ended = subprocess.run(
        [*name_server.program, PORTAL, "db", "check"],
        env=environment(tmp_path / "instance", DATABASE_URL=url, SECRET_KEY=SECRET_KEY),
        capture_output=True,
        text=True,
        timeout=LONG_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "no name server told in time where db.example.com leads" in line
    assert "canary" not in line


def test_mails_wait_while_their_servers_name_hangs_and_go_out_after(tmp_path: Path, name_server: NameServer) -> None:
    instance = tmp_path / "private" / "instance"
    name_server.silent.add("mail.example.com")
    with Sink() as sink:
        settings = {"MAIL_SERVER": "mail.example.com", "MAIL_PORT": str(sink.port), "LOG_FORMAT": "json", **CHEAP}
        with serving(instance, program=(*name_server.program, PORTAL), **settings) as served:
            typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
            assert Visitor(served).fill("/register", **typed)[0] == 302
            wait_until(lambda: served.complaints() != [], "the worker gives up")
            assert "no name server told in time where mail.example.com leads" in served.complaints()[0]
            with closing(sqlite3.connect(f"file:{instance / 'portal.sqlite3'}?mode=ro", uri=True)) as connection:
                (row,) = connection.execute("SELECT state, attempts, lease_until FROM outbox").fetchall()
            assert row == ("queued", 0, None)
            name_server.silent.clear()
            assert len(sink.wait_for(1)) == 1
