"""Reads the settings from the environment and `portal.toml`, and refuses wrong ones by name."""

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
from portal.settings.declarations import DATABASE_FILE, DECLARATIONS, Settings

PREFIX = "PORTAL_"
SETTINGS_FILE = "portal.toml"
_INSTANCE_PATH = "instance_path"
_log = logging.getLogger("portal.settings")
_CHECKOUT = Path(__file__).resolve().parents[2]


class WrongSetting(click.ClickException):
    """One line that names the setting and says what is wrong with it. Never holds a secret's value.

    It is click's own, since `flask --app portal` makes the app before any command of ours could turn it into a line.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{PREFIX}{name.upper()} {problem}")
        self.name = name.upper()


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read all settings; the environment wins over `portal.toml`. Raises WrongSetting at the first wrong one."""
    settings, wrong = look_at_settings(environ)
    if wrong:
        raise wrong[0]
    return settings


def look_at_settings(environ: Mapping[str, str] = os.environ) -> tuple[Settings, list[WrongSetting]]:
    """Read all settings, and whatever is wrong with them; in place of a wrong one stands its default.

    One that is empty is not set.
    Raises WrongSetting for an INSTANCE_PATH, or a `portal.toml` in it, that cannot be read.
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
        default = values.sqlite_url(instance_path / DATABASE_FILE) if name == "database_url" else declared.default
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
    """Yield the name of each variable with the prefix that is no setting, without the prefix, and what to do."""
    known = [name.upper() for name in (_INSTANCE_PATH, *DECLARATIONS)]
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in known:
            nearest = get_close_matches(name.upper(), known, 1)
            yield name, f"is no setting: did you mean {nearest[0]}?" if nearest else "is no setting: is it mistyped?"


def warn_of_unknown_variables() -> None:
    """Log each variable that looks like a setting and is none."""
    for name, problem in unknown_variables():
        _log.warning("%s%s %s", PREFIX, name, problem)


def _default_instance() -> Path:
    """`instance/` of the checkout; outside a checkout, of the current folder."""
    return ((_CHECKOUT if (_CHECKOUT / "pyproject.toml").exists() else Path.cwd()) / "instance").absolute()


def _read_file(path: Path) -> dict[str, Any]:
    try:
        read = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise WrongSetting(_INSTANCE_PATH, f"holds a {SETTINGS_FILE} that cannot be read: {problem}") from None
    unknown = read.keys() - DECLARATIONS.keys()
    if unknown:
        raise WrongSetting(min(unknown), f"stands in {SETTINGS_FILE} but is not a setting of it")
    return read


def _plain_text(raw: object) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, list):
        return ",".join(str(item) for item in raw)
    return str(raw).strip()


def _contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    """The name of each setting that does not go together with others, and the problem."""
    if settings.mail_use_tls and settings.mail_use_ssl:
        yield "mail_use_ssl", "cannot be on together with MAIL_USE_TLS: choose one"
    if settings.argon2_memory_kib < 8 * settings.argon2_parallelism:
        yield "argon2_memory_kib", "must be at least 8 for each unit of ARGON2_PARALLELISM"
    if (settings.mail_username is None) != (settings.mail_password is None):
        yield "mail_password", "and MAIL_USERNAME must be set together, or neither"
    if settings.verify_lifetime > PENDING_LIFETIME:
        yield "verify_lifetime", f"is longer than {PENDING_LIFETIME.days} days, which no registration waits"
    if settings.reset_lifetime > settings.reset_lifetime_max:
        yield "reset_lifetime", "is longer than RESET_LIFETIME_MAX"
    if not settings.is_embedded and settings.secret_key is None:
        yield "secret_key", "must be set when the database is not SQLite: all machines need the same one"
