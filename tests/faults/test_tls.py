"""The portal accepts PostgreSQL and Redis over TLS only with a certificate of a configured authority.

tests/mail/test_smtp.py tests the same for the mail server.
"""

import socket
from collections.abc import Mapping

import pytest
from sqlalchemy import text

from portal.storage.backends import DatabaseUnavailable
from portal.storage.database import open_database
from portal.storage.rate_limit_counters import CountersUnavailable
from portal.storage.redis_counters import RedisCounters
from tests.mail.smtp_connection import CERTIFICATE
from tests.servers.redis import Redis
from tests.servers.resolver import Resolver
from tests.servers.tls import TlsFront
from tests.web.conftest import PASSWORD, Start
from tests.web.expectations import assert_error_page

pytestmark = pytest.mark.full

NAMELESS = "not-in-the-certificate.example.com"


@pytest.fixture
def another_name(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name that resolves to the servers here, and that their certificate is not for."""
    resolver = Resolver()
    resolver.leads = {NAMELESS: ["127.0.0.1"]}
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return NAMELESS


def test_redis_gets_no_password_before_its_certificate_is_verified(
    broken_redis: Redis, another_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken_redis.client.config_set("requirepass", "canary")
    broken_redis.client.auth("canary")
    with TlsFront(broken_redis.port) as front:
        for host, options, problem in (
            ("localhost", "", "self-signed certificate"),
            (another_name, f"?ssl_ca_certs={CERTIFICATE}", "Hostname mismatch"),
        ):
            caplog.clear()
            with pytest.raises(CountersUnavailable):
                RedisCounters(f"rediss://:canary@{host}:{front.port}/0{options}").incr("a", 60)
            assert problem in caplog.text
            assert "canary" not in caplog.text
        assert RedisCounters(f"rediss://:canary@localhost:{front.port}/0?ssl_ca_certs={CERTIFICATE}").incr("a", 60) == 1


@pytest.mark.on_postgresql
def test_postgresql_gets_no_password_before_its_certificate_is_verified(
    start: Start,
    environ: Mapping[str, str],
    another_name: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = environ["PORTAL_DATABASE_URL"]
    port = int(plain.rpartition(":")[2].partition("/")[0])
    with TlsFront(port) as front:

        def encrypted(host: str, root: str) -> str:
            url = plain.replace("postgres@", "postgres:canary@").replace(f"127.0.0.1:{port}", f"{host}:{front.port}")
            return f"{url}?sslmode=verify-full&sslrootcert={root}"

        for url, problem in (
            (encrypted("localhost", "system"), "certificate verify failed"),
            (encrypted(another_name, str(CERTIFICATE)), "does not match host name"),
        ):
            caplog.clear()
            with pytest.raises(DatabaseUnavailable, match=problem), open_database(url).read():
                pass
            assert_error_page(start(DATABASE_URL=url).browser().sign_in("ada@example.com", PASSWORD), 503)
            assert problem in caplog.text
            assert "canary" not in caplog.text
        monkeypatch.setenv("PGSSLROOTCERT", str(CERTIFICATE))  # as in docs/operations.md
        for url in (encrypted("localhost", str(CERTIFICATE)), encrypted("localhost", "").partition("&")[0]):
            database = open_database(url)
            with database.read() as connection:
                assert connection.execute(text("SELECT 1")).scalar_one() == 1
            database.engine.dispose()
