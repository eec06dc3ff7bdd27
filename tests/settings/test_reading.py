"""Settings have types, wrong ones are refused by name, and no message contains a secret."""

from pathlib import Path

import pytest

from portal.settings import load_settings, unknown_variables
from portal.settings.declarations import DECLARATIONS
from tests.settings.conftest import problem_of
from tests.settings.wrong_settings import STRONG_KEY, WRONG


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
