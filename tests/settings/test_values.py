"""The values of settings, and the forms in which they are accepted."""

from datetime import timedelta
from pathlib import Path

import pytest

from portal.settings import is_loopback_host, load_settings
from tests.mmdb import write_mmdb
from tests.settings.conftest import problem_of
from tests.settings.wrong_settings import STRONG_KEY


@pytest.mark.parametrize(
    ("value", "base_url"),
    [
        ("https://Portal.Example.com:443/", "https://portal.example.com"),
        ("http://portal.example.com:80", "http://portal.example.com"),
        ("https://portal.example.com:80", "https://portal.example.com:80"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_the_public_address_has_the_form_that_browsers_give_it(bare: dict[str, str], value: str, base_url: str) -> None:
    assert load_settings({**bare, "PORTAL_BASE_URL": value}).base_url == base_url


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////var/lib/portal/portal.sqlite3",
        "postgresql://portal:hunter2@db.example.com/portal?sslmode=verify-full",
        "postgresql+psycopg://db.example.com:5433/portal?options=-c%20search_path%3Dportal&connect_timeout=5",
        "postgresql+psycopg:///portal?host=a.example.com:5432&host=b.example.com&target_session_attrs=read-write",
        "postgresql+psycopg://portal@/portal?host=a.example.com,b.example.com&port=5432,5433",
        "postgresql+psycopg:///portal?host=/run/postgresql",
        "postgresql+psycopg:///portal?service=portal",
        "postgresql://",
    ],
)
def test_each_database_is_taken_as_it_stands(bare: dict[str, str], url: str) -> None:
    assert load_settings({**bare, "PORTAL_DATABASE_URL": url, "PORTAL_SECRET_KEY": STRONG_KEY}).database_url == url


def test_the_older_scheme_of_postgresql_is_taken(bare: dict[str, str]) -> None:
    environ = {**bare, "PORTAL_SECRET_KEY": STRONG_KEY, "PORTAL_DATABASE_URL": "postgres://portal@postgres/postgres"}
    assert load_settings(environ).database_url == "postgresql://portal@postgres/postgres"


@pytest.mark.parametrize(
    "uri",
    [
        "memory://",
        "redis://redis:6379/0",
        "redis://portal:hunter2@[::1]:6379/1?socket_timeout=1&health_check_interval=5",
        "rediss://:hunter2@redis.example.com/0?ssl_ca_certs=/etc/ssl/own.pem",
        "redis+unix:///run/redis/redis.sock?db=2",
    ],
)
def test_each_storage_of_limits_is_taken_as_it_stands(bare: dict[str, str], uri: str) -> None:
    assert load_settings({**bare, "PORTAL_RATELIMIT_STORAGE_URI": uri}).ratelimit_storage_uri == uri


@pytest.mark.parametrize(
    ("text", "grace"), [('"0"', timedelta(0)), ("0", timedelta(0)), ('"36h"', timedelta(hours=36))]
)
def test_accounts_can_be_erased_at_once(bare: dict[str, str], tmp_path: Path, text: str, grace: timedelta) -> None:
    (tmp_path / "portal.toml").write_text(f"deletion_grace = {text}\n")
    assert load_settings(bare).deletion_grace == grace


def test_a_geoip_database_is_loaded_and_another_file_is_refused(bare: dict[str, str], tmp_path: Path) -> None:
    assert load_settings(bare).geoip_database is None
    path = write_mmdb(tmp_path / "places.mmdb", {"192.0.2.0/24": {"country": {"names": {"en": "Czechia"}}}})
    assert load_settings({**bare, "PORTAL_GEOIP_DATABASE": str(path)}).geoip_database == path
    (tmp_path / "text.mmdb").write_text("Czechia")
    for name in ("text.mmdb", "none.mmdb", "."):
        problem = problem_of({**bare, "PORTAL_GEOIP_DATABASE": str(tmp_path / name)})
        assert problem.startswith("PORTAL_GEOIP_DATABASE: is not a readable GeoIP database")


def test_a_file_of_breached_passwords_is_found_or_refused(bare: dict[str, str], tmp_path: Path) -> None:
    assert load_settings(bare).pwned_passwords_file is None
    (tmp_path / "hashes.txt").write_text(f"{'0' * 40}:1\n{'F' * 40}:2\n")
    name = "PORTAL_PWNED_PASSWORDS_FILE"
    assert load_settings({**bare, name: str(tmp_path / "hashes.txt")}).pwned_passwords_file == tmp_path / "hashes.txt"
    (tmp_path / "unsorted.txt").write_text(f"{'F' * 40}:2\n{'0' * 40}:1\n")
    (tmp_path / "words.txt").write_text("password\n")
    for file, problem in (
        ("unsorted.txt", "is not sorted by hash: download the version that is ordered by hash"),
        ("words.txt", 'has a line that is not "SHA1:count"'),
        ("none.txt", "cannot be read: No such file or directory"),
        (".", "cannot be read: Is a directory"),
    ):
        assert problem_of({**bare, name: str(tmp_path / file)}) == f"{name}: {problem}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://Portal.Example.com/", "https://portal.example.com"),
        ("HTTPS://portal.example.com:8443", "https://portal.example.com:8443"),
        (" http://localhost:5000 ", "http://localhost:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("https://xn--9ca.example", "https://xn--9ca.example"),
        ("http://portal_1.example:8000", "http://portal_1.example:8000"),
    ],
)
def test_the_public_address_has_one_form(bare: dict[str, str], url: str, shown: str) -> None:
    settings = load_settings({**bare, "PORTAL_BASE_URL": url})
    assert settings.base_url == shown
    assert settings.is_https is shown.startswith("https")
    assert settings.is_loopback is ("example" not in shown)


@pytest.mark.parametrize(
    "server", ["mail.example.com", "mail.example.com.", "Mail", "mail_sink", "192.0.2.1", "::1", "fe80::1%eth0"]
)
def test_a_mail_server_is_a_name_or_an_address(bare: dict[str, str], server: str) -> None:
    assert load_settings({**bare, "PORTAL_MAIL_SERVER": server}).mail_server == server
    assert load_settings({**bare, "PORTAL_MAIL_SERVER": ""}).mail_server is None


@pytest.mark.parametrize(
    ("text", "amount", "seconds"), [("10/minute", 10, 60), ("5 PER 2 HOURS", 5, 7200), ("100 per 10 days", 100, 864000)]
)
def test_a_limit_is_a_number_and_a_span(bare: dict[str, str], text: str, amount: int, seconds: int) -> None:
    limit = load_settings({**bare, "PORTAL_LOGIN_LIMIT_ACCOUNT": text}).login_limit_account
    assert (limit.amount, limit.get_expiry()) == (amount, seconds)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)]
    # "0.0.0.0" is compared, not bound.
    + [(host, False) for host in ("192.0.2.1", "localhost.example.com", "127.0.0.1.example.com", "", "::", "0.0.0.0")],  # noqa: S104
)
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    assert is_loopback_host(host) is loopback
