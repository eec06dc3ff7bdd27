"""`portal check`: each unsafe or wrong setting is named, and only those."""

import sqlite3
from pathlib import Path
from secrets import token_hex, token_urlsafe

import pytest

from tests.cli.conftest import Checked, Run

KEY = "p0Wq-7rLz2NvXk9sTe4JbUy8"
AWAY = "postgresql+psycopg://portal:a-word@database.invalid/portal"
AWAY_NAMES = {"DATABASE_URL", "RATELIMIT_STORAGE_URI"}
"""The server does not answer, its certificate is not verified, and several machines would count limits separately."""


def test_safe_settings_pass(checked: Checked) -> None:
    outcome = checked.outcome()
    assert (outcome.status, outcome.out) == (0, "No unsafe or incomplete setting was found.\n")


def test_the_defaults_are_for_trying_only(run: Run) -> None:
    outcome = run("check")
    assert outcome.status == 1
    named = {line.split(":")[0] for line in outcome.out.splitlines()}
    assert named == {"BASE_URL", "MAIL_SERVER", "MAIL_DEFAULT_SENDER", "DATABASE_URL"}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"BASE_URL": "http://portal.example.com"}, {"BASE_URL"}),
        ({"BASE_URL": "https://127.0.0.1:8443"}, {"BASE_URL"}),
        ({"BASE_URL": "https://login.localhost"}, {"BASE_URL"}),
        ({"BASE_URL": "https://0.0.0.0"}, {"BASE_URL"}),
        ({"BASE_URL": "https://[::]:8443"}, {"BASE_URL"}),
        ({"TRUSTED_PROXIES": "0"}, {"TRUSTED_PROXIES"}),
        ({"MAIL_USE_TLS": "false"}, {"MAIL_USE_TLS"}),
        ({"MAIL_PORT": "465"}, {"MAIL_PORT"}),
        ({"MAIL_PORT": "587", "MAIL_USE_TLS": "false", "MAIL_USE_SSL": "true"}, {"MAIL_PORT"}),
        ({"MAIL_PORT": "", "MAIL_USE_TLS": "false", "MAIL_USE_SSL": "true"}, {"MAIL_PORT"}),
        ({"MAIL_SERVR": "mail.example.com"}, {"MAIL_SERVR"}),
        ({"MAIL_DEFAULT_SENDER": "portal@localhost"}, {"MAIL_DEFAULT_SENDER"}),
        ({"MAIL_DEFAULT_SENDER": "root@localhost.localdomain"}, {"MAIL_DEFAULT_SENDER"}),
        ({"MAIL_SERVER": ""}, {"MAIL_SERVER"}),
        ({"SECRET_KEY": "0123456789abcdefghijklmnop"}, {"SECRET_KEY"}),
        ({"SECRET_KEY": "my-super-secret-key-1234"}, {"SECRET_KEY"}),
        ({"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": "qwertyuiopasdfghjklzxcvbnm"}, {"SECRET_KEY_FALLBACKS"}),
        ({"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": KEY}, {"SECRET_KEY_FALLBACKS"}),
        ({"SECRET_KEY": KEY, "MAIL_USERNAME": "portal", "MAIL_PASSWORD": KEY}, {"SECRET_KEY"}),
        ({"PASSWORD_MIN_LENGTH": "7"}, {"PASSWORD_MIN_LENGTH"}),
        ({"ARGON2_TIME_COST": "1"}, {"ARGON2_MEMORY_KIB"}),
        ({"ARGON2_MEMORY_KIB": "8192"}, {"ARGON2_MEMORY_KIB"}),
        ({"LOGIN_LIMITS": "5 per hour"}, {"LOGIN_LIMITS"}),
        ({"LOGIN_LIMIT_NETWORK": "1 per year"}, {"LOGIN_LIMIT_NETWORK"}),
        ({"REGISTER_LIMIT_NETWORK": "20 per year"}, {"REGISTER_LIMIT_NETWORK"}),
        ({"MAIL_LIMIT_ADDRESS": "1 per 1 hour"}, {"MAIL_LIMIT_ADDRESS"}),
        ({"API_LIMIT_PROD": "6000 per day"}, {"API_LIMIT_PROD"}),
        ({"LOGIN_LIMIT_ACCOUNT": "1000000 per minute"}, {"LOGIN_LIMIT_ACCOUNT"}),
        ({"MAGIC_LIFETIME": "10s"}, {"MAGIC_LIFETIME"}),
        ({"IDENTITY_IDLE": "1 min"}, {"IDENTITY_IDLE"}),
        ({"RESET_LIFETIME_MAX": "3 days"}, {"RESET_LIFETIME_MAX"}),
        ({"IDENTITY_LIFETIME": "90d"}, {"IDENTITY_LIFETIME"}),
        ({"SECRET_KEY": KEY, "DATABASE_URL": AWAY.replace("a-word", KEY)}, {"SECRET_KEY", *AWAY_NAMES}),
        (
            {"SECRET_KEY": KEY + "/+", "DATABASE_URL": AWAY.replace("a-word", KEY + "%2F%2B")},
            {"SECRET_KEY", *AWAY_NAMES},
        ),
        ({"SECRET_KEY": KEY, "DATABASE_URL": AWAY}, AWAY_NAMES),
        ({"RATELIMIT_STORAGE_URI": "redis://limits.example.com/0"}, {"RATELIMIT_STORAGE_URI"}),
        ({"RATELIMIT_STORAGE_URI": "rediss://limits.example.com/0?ssl_cert_reqs=none"}, {"RATELIMIT_STORAGE_URI"}),
        ({"RATELIMIT_STORAGE_URI": "rediss://limits.example.com/0?ssl_check_hostname=no"}, {"RATELIMIT_STORAGE_URI"}),
        ({"EVENT_RETENTION": "1h"}, {"EVENT_RETENTION"}),
    ],
)
def test_each_unsafe_setting_is_named(checked: Checked, changed: dict[str, str], named: set[str]) -> None:
    assert checked.named(**changed) == named


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("postgresql:///portal?host=database.invalid", True),
        ("postgresql://portal@/portal?host=127.0.0.1:1&host=database.invalid:1", True),
        ("postgresql:///portal?host=127.0.0.1&hostaddr=0.0.0.0&port=1", True),
        ("postgresql://database.invalid/portal?sslmode=require", True),
        ("postgresql:///portal?host=database.invalid&sslmode=verify-full", False),
        ("postgresql:///portal?host=/nowhere", False),
        ("postgresql://127.0.0.1:1/portal", False),
    ],
)
def test_a_database_over_the_network_is_to_say_who_it_is(checked: Checked, url: str, is_told: bool) -> None:
    limits = "redis://127.0.0.1:6379/0"
    outcome = checked.outcome(SECRET_KEY=KEY, DATABASE_URL=url, RATELIMIT_STORAGE_URI=limits)
    assert ("DATABASE_URL: does not verify the server's certificate" in outcome.out) is is_told


@pytest.mark.parametrize(
    "changed",
    [
        {"MAIL_SERVER": "127.0.0.1", "MAIL_USE_TLS": "false"},
        {"ARGON2_TIME_COST": "3", "ARGON2_MEMORY_KIB": "12288"},
        {"LOGIN_LIMIT_ACCOUNT": "3 per hour", "API_LIMIT_DEV": "1000 per minute"},
        {"RESET_LIFETIME": "5m", "IDENTITY_LIFETIME": "1d"},
        *({"SECRET_KEY": drawn} for drawn in (token_hex(10), token_urlsafe(15), token_urlsafe(32))),
        {"RATELIMIT_STORAGE_URI": "redis://127.0.0.1:6379/0"},
        {"RATELIMIT_STORAGE_URI": "rediss://limits.example.com/0"},
    ],
)
def test_what_is_safe_is_not_named(checked: Checked, changed: dict[str, str]) -> None:
    assert checked.outcome(**changed).status == 0


def test_what_else_is_unsafe_is_named_when_the_database_has_lost_a_table(checked: Checked, instance: Path) -> None:
    assert checked.outcome().status == 0
    with sqlite3.connect(instance / "portal.sqlite3") as connection:
        connection.execute("DROP TABLE organisation")
    connection.close()
    assert checked.named(TRUSTED_PROXIES="0") == {"TRUSTED_PROXIES", "DATABASE_URL"}


def test_debugging_is_named(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert checked.named() == {"FLASK_DEBUG"}


def test_a_settings_file_that_others_may_read_is_named(checked: Checked, instance: Path) -> None:
    (instance / "portal.toml").write_text('password_min_length = "10"\n')
    (instance / "portal.toml").chmod(0o644)
    assert checked.named() == {"INSTANCE_PATH"}


def test_a_folder_that_is_shared_with_others_is_named(checked: Checked, instance: Path) -> None:
    (instance / "theirs").write_text("")
    instance.chmod(0o755)
    assert checked.named() == {"INSTANCE_PATH"}


def test_no_secret_is_shown(checked: Checked) -> None:
    outcome = checked.outcome(SECRET_KEY=KEY, SECRET_KEY_FALLBACKS=KEY, DATABASE_URL=AWAY)
    assert KEY not in outcome.out
    assert "a-word" not in outcome.out


def test_the_example_of_settings_does_not_start_before_it_has_a_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    example = Path(__file__).parents[2] / "deploy" / "portal.env.example"
    for line in example.read_text().splitlines():
        if line.startswith("PORTAL_"):
            monkeypatch.setenv(*line.split("=", 1))
    outcome = run("check")
    assert outcome.status == 1
    assert [line.partition(" when")[0] for line in outcome.err.splitlines()] == [
        "Error: PORTAL_MAIL_PASSWORD: must be set together with MAIL_USERNAME, or neither of them",
        "Error: PORTAL_SECRET_KEY: must be set",
    ]


def test_a_wrong_setting_keeps_no_other_one_from_being_named(checked: Checked) -> None:
    key = "changeme-changeme-changeme"
    outcome = checked.outcome(SECRET_KEY=key, MAIL_PORT="0", TRUSTED_PROXIES="0", MAIL_USE_TLS="maybe")
    assert outcome.status == 1
    assert [line.split()[1] for line in outcome.err.splitlines()] == [
        "PORTAL_SECRET_KEY:",
        "PORTAL_MAIL_PORT:",
        "PORTAL_MAIL_USE_TLS:",
    ]
    assert [line.split(":")[0] for line in outcome.out.splitlines()] == ["TRUSTED_PROXIES"]
    assert key not in outcome.out + outcome.err


def test_a_key_that_is_missing_and_limits_that_are_apart_are_both_named(checked: Checked) -> None:
    outcome = checked.outcome(DATABASE_URL="postgresql://127.0.0.1:1/portal")
    assert "PORTAL_SECRET_KEY: must be set" in outcome.err
    assert [line.split(":")[0] for line in outcome.out.splitlines()] == ["RATELIMIT_STORAGE_URI"]


def test_a_key_file_that_is_damaged_keeps_no_other_one_from_being_named(
    checked: Checked, run: Run, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked.outcome().status == 0
    (instance / "secret.key").write_text("")
    monkeypatch.setenv("PORTAL_TRUSTED_PROXIES", "0")
    outcome = run("check")
    assert outcome.status == 1
    assert outcome.err.startswith("Error: PORTAL_INSTANCE_PATH: has a secret.key that is empty or damaged")
    assert outcome.out.startswith("TRUSTED_PROXIES: ")
