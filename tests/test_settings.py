"""Settings: typed, refused by name when wrong, and silent about secrets."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from portal.domain.passwords.hashing import Parameters
from portal.settings import WrongSetting, is_loopback_host, load_settings, unknown_variables
from portal.settings.declaration import markdown_table
from portal.settings.declarations import DECLARATIONS
from tests.mmdb import write_mmdb
from tests.wrong_settings import STRONG_KEY, WRONG


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An instance with nothing set."""
    return {"PORTAL_INSTANCE_PATH": str(tmp_path)}


def problem_of(environ: Mapping[str, str]) -> str:
    with pytest.raises(WrongSetting) as refusal:
        load_settings(environ)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value", "problem"), WRONG, ids=[f"{name}={value[:30]!a}" for name, value, _ in WRONG]
)
def test_a_wrong_value_is_refused_by_name_in_one_line(
    bare: dict[str, str], name: str, value: str, problem: str
) -> None:
    message = problem_of({**bare, f"PORTAL_{name}": value})
    assert message.startswith(f"PORTAL_{name}: ")
    assert problem in message
    assert message.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize("nothing", ["", " \t"])
def test_a_variable_that_is_empty_is_not_set(bare: dict[str, str], tmp_path: Path, nothing: str) -> None:
    empty = {f"PORTAL_{name.upper()}": nothing for name in DECLARATIONS}
    assert vars(load_settings({**bare, **empty})) == vars(load_settings(bare))
    (tmp_path / "portal.toml").write_text('mail_server = "mail.example.com"\nbase_url = ""\nmail_port = 587\n')
    settings = load_settings({**bare, **empty})
    assert (settings.mail_server, settings.mail_port) == ("mail.example.com", 587)
    assert settings.base_url == "http://127.0.0.1:5000"


def test_a_tilde_is_the_home_folder(bare: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "hashes.txt").write_text(f"{'0' * 40}:1\n")
    environ = {
        "PORTAL_INSTANCE_PATH": "~/x",
        "PORTAL_DATABASE_URL": "sqlite:///~/portal.db",
        "PORTAL_PWNED_PASSWORDS_FILE": "~/hashes.txt",
    }
    settings = load_settings({**bare, **environ})
    assert settings.instance_path == tmp_path / "x"
    assert settings.database_url == f"sqlite:///{tmp_path}/portal.db"
    assert settings.pwned_passwords_file == tmp_path / "hashes.txt"


def test_an_unknown_variable_is_reported_with_the_closest_setting() -> None:
    names = ("PORTAL_MAIL_SERVR", "PORTAL_base_url", "PORTAL_XYZ", "PORTAL_MAIL_PORT", "PORTAL_INSTANCE_PATH", "HOME")
    assert dict(unknown_variables(dict.fromkeys(names, "x"))) == {
        "MAIL_SERVR": "is not a setting; did you mean MAIL_SERVER?",
        "XYZ": "is not a setting; correct its name or unset it",
        "base_url": "is not a setting; did you mean BASE_URL?",
    }


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
    ("environ", "names"),
    [
        ({"PORTAL_MAIL_USE_TLS": "true", "PORTAL_MAIL_USE_SSL": "true"}, ("PORTAL_MAIL_USE_SSL", "MAIL_USE_TLS")),
        (
            {"PORTAL_ARGON2_PARALLELISM": "4", "PORTAL_ARGON2_MEMORY_KIB": "31"},
            ("PORTAL_ARGON2_MEMORY_KIB", "ARGON2_PARALLELISM"),
        ),
        ({"PORTAL_RESET_LIFETIME": "2h", "PORTAL_RESET_LIFETIME_MAX": "1h"}, ("PORTAL_RESET_LIFETIME", "_MAX")),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    bare: dict[str, str], environ: dict[str, str], names: tuple[str, str]
) -> None:
    message = problem_of(bare | environ)
    assert message.startswith(f"{names[0]}: ")
    assert names[1] in message


def test_nothing_set_is_a_portal_on_this_machine_with_the_defaults_of_the_contract(
    bare: dict[str, str], tmp_path: Path
) -> None:
    settings = load_settings(bare)
    assert settings.instance_path == tmp_path
    assert settings.base_url == "http://127.0.0.1:5000"
    assert settings.database_url == f"sqlite:///{tmp_path}/portal.sqlite3"
    assert (settings.is_https, settings.is_embedded, settings.is_loopback) == (False, True, True)
    assert (settings.secret_key, settings.secret_key_fallbacks) == (None, ())
    assert (settings.mail_server, settings.trusted_proxies, settings.log_format) == (None, 0, None)
    assert settings.argon2 == Parameters(2, 19456, 1)
    assert settings.password_min_length == 8
    limits = (settings.login_limit_account, settings.login_limit_network, settings.register_limit_network)
    assert [(item.amount, item.get_expiry()) for item in limits] == [(10, 1200), (100, 1200), (20, 3600)]
    mails = (settings.mail_limit_address, settings.mail_limit_network)
    assert [(item.amount, item.get_expiry()) for item in mails] == [(5, 3600), (30, 3600)]
    assert (settings.reset_lifetime, settings.verify_lifetime) == (timedelta(minutes=30), timedelta(hours=24))
    assert (settings.identity_lifetime, settings.identity_idle) == (timedelta(days=30), timedelta(days=7))
    assert (settings.reset_lifetime_max, settings.event_retention) == (timedelta(hours=24), timedelta(days=180))
    assert settings.deletion_grace == timedelta(days=14)


@pytest.mark.parametrize(
    ("text", "grace"), [('"0"', timedelta(0)), ("0", timedelta(0)), ('"36h"', timedelta(hours=36))]
)
def test_accounts_can_be_erased_at_once(bare: dict[str, str], tmp_path: Path, text: str, grace: timedelta) -> None:
    (tmp_path / "portal.toml").write_text(f"deletion_grace = {text}\n")
    assert load_settings(bare).deletion_grace == grace


def test_the_environment_wins_over_the_file(bare: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text('base_url = "https://file.example.com"\ntrusted_proxies = 1\n')
    assert load_settings(bare).base_url == "https://file.example.com"
    settings = load_settings({**bare, "PORTAL_BASE_URL": "https://environ.example.com"})
    assert (settings.base_url, settings.trusted_proxies) == ("https://environ.example.com", 1)


def test_the_file_may_use_tomls_own_types(bare: dict[str, str], tmp_path: Path) -> None:
    keys = [STRONG_KEY, STRONG_KEY[::-1]]
    (tmp_path / "portal.toml").write_text(f"mail_use_tls = true\nmail_port = 587\nsecret_key_fallbacks = {keys}\n")
    settings = load_settings(bare)
    assert (settings.mail_use_tls, settings.mail_port, settings.secret_key_fallbacks) == (True, 587, tuple(keys))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("base_ulr = 'x'\n", "PORTAL_BASE_ULR"),
        ("BASE_URL = 'https://x.example.com'\n", "PORTAL_BASE_URL"),
        ("instance_path = '/tmp'\n", "PORTAL_INSTANCE_PATH"),
        ("[mail]\nserver = 'x'\n", "PORTAL_MAIL"),
        ("mail_port = 2.5\n", "PORTAL_MAIL_PORT"),
        ("mail_port = [25, 26]\n", "PORTAL_MAIL_PORT"),
        ("this is not TOML", "PORTAL_INSTANCE_PATH"),
        ("mail_port = 25\nmail_port = 26\n", "PORTAL_INSTANCE_PATH"),
        ("# \udcff", "PORTAL_INSTANCE_PATH"),
    ],
)
def test_a_wrong_file_is_refused_by_name_in_one_line(
    bare: dict[str, str], tmp_path: Path, text: str, name: str
) -> None:
    (tmp_path / "portal.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    message = problem_of(bare)
    assert message.startswith(f"{name}: ")
    assert message.isprintable()


def test_a_file_that_cannot_be_read_is_refused(bare: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "portal.toml").mkdir()
    problem = "PORTAL_INSTANCE_PATH: has a portal.toml that cannot be read: Is a directory"
    assert problem_of(bare) == problem


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


def test_another_database_than_sqlite_needs_a_key_of_its_own(bare: dict[str, str]) -> None:
    server = {**bare, "PORTAL_DATABASE_URL": "postgresql+psycopg://host/db"}
    assert problem_of(server).startswith("PORTAL_SECRET_KEY: must be set")
    assert not load_settings({**server, "PORTAL_SECRET_KEY": STRONG_KEY}).is_embedded


@pytest.mark.parametrize("value", ["hunter2 hunter2", "x" * 40, "changeme-hunter2-0123456789"])
def test_no_message_holds_a_secret(bare: dict[str, str], value: str) -> None:
    for environ in (
        {"PORTAL_SECRET_KEY": value},
        {"PORTAL_SECRET_KEY_FALLBACKS": value},
        {"PORTAL_DATABASE_URL": f"postgresql+nonsense://ada:{value}@host/db"},
        {"PORTAL_RATELIMIT_STORAGE_URI": f"memcached://:{value}@host"},
        {"PORTAL_RATELIMIT_STORAGE_URI": f"redis://host:{value}"},
        {"PORTAL_BASE_URL": f"https://ada:{value}@host"},
        {"PORTAL_DATABASE_URL": f"postgresql://host/db?{value}=x"},
    ):
        assert value not in problem_of(bare | environ)


def test_no_repr_holds_a_secret(bare: dict[str, str]) -> None:
    secrets = {"PORTAL_SECRET_KEY": STRONG_KEY, "PORTAL_MAIL_PASSWORD": "hunter2hunter2"}
    settings = load_settings(bare | secrets | {"PORTAL_MAIL_USERNAME": "portal"})
    assert (settings.secret_key, settings.mail_password) == tuple(secrets.values())
    for shown in (repr(settings), str(settings), f"{settings}"):
        assert not any(secret in shown for secret in secrets.values())


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


def test_the_documented_settings_are_those_that_there_are() -> None:
    documented = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
    table = markdown_table(DECLARATIONS)
    assert table in documented.read_text("utf-8"), f"put this into {documented}:\n{table}"


@pytest.mark.parametrize("name", DECLARATIONS)
def test_each_setting_has_a_default_that_it_takes_itself(bare: dict[str, str], name: str) -> None:
    default = DECLARATIONS[name].default
    if default is not None:
        written = load_settings({**bare, f"PORTAL_{name.upper()}": default})
        assert getattr(written, name) == getattr(load_settings(bare), name)
