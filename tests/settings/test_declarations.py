"""The declarations of settings, and their documentation."""

from datetime import timedelta
from pathlib import Path

import pytest

from portal.domain.passwords.hashing import Parameters
from portal.settings import load_settings
from portal.settings.declaration import markdown_table
from portal.settings.declarations import DECLARATIONS


def test_without_settings_the_portal_runs_on_this_machine_with_the_defaults(
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


def test_the_documented_settings_are_those_that_there_are() -> None:
    documented = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
    table = markdown_table(DECLARATIONS)
    assert table in documented.read_text("utf-8"), f"put this into {documented}:\n{table}"


@pytest.mark.parametrize("name", DECLARATIONS)
def test_each_setting_has_a_default_that_it_takes_itself(bare: dict[str, str], name: str) -> None:
    default = DECLARATIONS[name].default
    if default is not None:
        written = load_settings({**bare, f"PORTAL_{name.upper()}": default})
        assert getattr(written, name) == getattr(load_settings(bare), name)
