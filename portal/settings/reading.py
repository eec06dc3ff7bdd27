"""Read the settings from the environment and `portal.toml`."""

import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.settings import values
from portal.settings.addresses import sqlite_url
from portal.settings.declarations import DATABASE_FILE, DECLARATIONS, Settings

PREFIX = "PORTAL_"
SETTINGS_FILE = "portal.toml"
_INSTANCE_PATH = "instance_path"
_log = logging.getLogger("portal.settings")
_CHECKOUT = Path(__file__).resolve().parents[2]


class WrongSetting(click.ClickException):
    """One line that names the setting and the problem, never a secret's value.

    It is a ClickException because `flask --app portal` creates the app before PlainCommand could handle it.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{PREFIX}{name.upper()}: {problem}")
        self.name = name.upper()


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read all settings; the environment wins over `portal.toml`. Raises WrongSetting for the first wrong one."""
    settings, wrong = inspect_settings(environ)
    if wrong:
        raise wrong[0]
    return settings


def inspect_settings(environ: Mapping[str, str] = os.environ) -> tuple[Settings, list[WrongSetting]]:
    """Read all settings and their errors; a wrong setting has its default.

    An empty value counts as not set. Raises WrongSetting for an INSTANCE_PATH, or a `portal.toml` in it, that cannot be
    read.
    """
    try:
        named = values.plain(environ.get(PREFIX + _INSTANCE_PATH.upper(), "")).strip()
        instance_path = values.path(named) if named else _default_instance()
    except ValueError as error:
        raise WrongSetting(_INSTANCE_PATH, str(error)) from None
    from_file = _read_file(instance_path / SETTINGS_FILE)
    found: dict[str, Any] = {_INSTANCE_PATH: instance_path}
    wrong: dict[str, WrongSetting] = {}
    for name, declared in DECLARATIONS.items():
        default = sqlite_url(instance_path / DATABASE_FILE) if name == "database_url" else declared.default
        raw = _plain_text(environ.get(PREFIX + name.upper(), "")) or _plain_text(from_file.get(name, "")) or default
        try:
            found[name] = raw if raw is None else declared.read(values.plain(raw))
        except ValueError as error:
            wrong[name] = WrongSetting(name, str(error))
            found[name] = default if default is None else declared.read(default)
    settings = Settings(**found)
    for name, problem in _contradictions(settings):
        wrong.setdefault(name, WrongSetting(name, problem))
    return settings, list(wrong.values())


def unknown_variables(environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Yield the name, without PREFIX, of each variable that is not a setting, with a message."""
    known = [name.upper() for name in (_INSTANCE_PATH, *DECLARATIONS)]
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in known:
            nearest = get_close_matches(name.upper(), known, 1)
            advice = f"did you mean {nearest[0]}?" if nearest else "correct its name or unset it"
            yield name, f"is not a setting; {advice}"


def warn_of_unknown_variables() -> None:
    """Log each variable with PREFIX that is not a setting."""
    for name, problem in unknown_variables():
        _log.warning("%s%s: %s", PREFIX, name, problem)


def _default_instance() -> Path:
    """Return `instance/` in the checkout; outside a checkout, in the current folder."""
    return ((_CHECKOUT if (_CHECKOUT / "pyproject.toml").exists() else Path.cwd()) / "instance").absolute()


def _read_file(path: Path) -> dict[str, Any]:
    try:
        read = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise WrongSetting(_INSTANCE_PATH, f"has a {SETTINGS_FILE} that cannot be read: {problem}") from None
    unknown = read.keys() - DECLARATIONS.keys()
    if unknown:
        raise WrongSetting(min(unknown), f"is in {SETTINGS_FILE}, but there is no such setting in that file")
    return read


def _plain_text(raw: object) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, list):
        return ",".join(str(item) for item in raw)
    return str(raw).strip()


def _contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the name and problem of each setting that contradicts another one."""
    if settings.mail_use_tls and settings.mail_use_ssl:
        yield "mail_use_ssl", "cannot be on together with MAIL_USE_TLS; turn one of them off"
    if settings.argon2_memory_kib < 8 * settings.argon2_parallelism:
        yield "argon2_memory_kib", "must be at least 8 for each unit of ARGON2_PARALLELISM"
    if (settings.mail_username is None) != (settings.mail_password is None):
        yield "mail_password", "must be set together with MAIL_USERNAME, or neither of them"
    if settings.verify_lifetime > PENDING_LIFETIME:
        yield "verify_lifetime", f"must be at most {PENDING_LIFETIME.days} days, the lifetime of a pending registration"
    if settings.reset_lifetime > settings.reset_lifetime_max:
        yield "reset_lifetime", "must be at most RESET_LIFETIME_MAX"
    if not settings.is_embedded and settings.secret_key is None:
        yield "secret_key", "must be set when the database is not SQLite, since all machines need the same key"
