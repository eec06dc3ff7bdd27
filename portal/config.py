"""Settings: read once from the environment and `portal.toml`, typed, refused by name when wrong."""

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from limits import RateLimitItem
from sqlalchemy.engine import URL, make_url

from portal import setting_values
from portal.domain.hashing import Parameters
from portal.domain.passwords import MAX_LENGTH as PASSWORD_MAX_LENGTH
from portal.domain.waiting import WAITING_LIFETIME

PREFIX = "PORTAL_"
SETTINGS_FILE = "portal.toml"
DATABASE_FILE = "portal.sqlite3"
DEFAULT_LIMITS = {
    "login_limit_account": "10 per 20 minutes",
    "login_limit_network": "100 per 20 minutes",
    "register_limit_network": "20 per hour",
    "mail_limit_address": "5 per hour",
    "mail_limit_network": "30 per hour",
    "api_limit_prod": "6000 per minute",
    "api_limit_dev": "60 per minute",
}
_CHECKOUT = Path(__file__).resolve().parent.parent


class WrongSetting(click.ClickException):
    """One line that names the setting and says what is wrong with it. Never holds a secret's value.

    It is click's own, since `flask --app portal` makes the app before any command of ours could turn it into a line.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{PREFIX}{name.upper()} {problem}")
        self.name = name.upper()


@dataclass(frozen=True, repr=False)  # a repr would show the secrets
class Settings:
    """The settings of contract.md, section 2, that there is something for to set."""

    instance_path: Path
    base_url: str
    secret_key: str | None
    """None until the first start has made one (portal/instance.py)."""
    secret_key_fallbacks: tuple[str, ...]
    database_url: str
    ratelimit_storage_uri: str
    mail_server: str | None
    mail_port: int
    mail_username: str | None
    mail_password: str | None
    mail_use_tls: bool
    mail_use_ssl: bool
    mail_default_sender: str
    trusted_proxies: int
    login_limit_account: RateLimitItem
    login_limit_network: RateLimitItem
    register_limit_network: RateLimitItem
    mail_limit_address: RateLimitItem
    mail_limit_network: RateLimitItem
    register_retry: timedelta
    api_limit_prod: RateLimitItem
    api_limit_dev: RateLimitItem
    reset_lifetime: timedelta
    magic_lifetime: timedelta
    verify_lifetime: timedelta
    reset_lifetime_max: timedelta
    identity_lifetime: timedelta
    identity_idle: timedelta
    password_min_length: int
    argon2_time_cost: int
    argon2_memory_kib: int
    argon2_parallelism: int
    geoip_database: Path | None
    metrics_port: int | None
    log_format: str | None
    event_retention: timedelta

    @property
    def is_https(self) -> bool:
        """Whether the public address is https: secure cookies and HSTS follow."""
        return self.base_url.startswith("https:")

    @property
    def is_embedded(self) -> bool:
        """Whether the data lives in SQLite, on this machine."""
        return make_url(self.database_url).get_backend_name() == "sqlite"

    @property
    def hostname(self) -> str:
        """The host of the public address."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Whether the public address is this machine only."""
        return is_loopback_host(self.hostname)

    @property
    def argon2(self) -> Parameters:
        """The cost of a password hash."""
        return Parameters(self.argon2_time_cost, self.argon2_memory_kib, self.argon2_parallelism)


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        address = ip_address(host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return host == "localhost"


def sqlite_url(path: Path) -> str:
    """The SQLAlchemy URL of a SQLite file, whatever is in its name: as they are, ? and % would lead elsewhere."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read all settings; the environment wins over `portal.toml`. Raises WrongSetting at the first wrong one."""
    settings, wrong = look_at_settings(environ)
    if wrong:
        raise wrong[0]
    return settings


def look_at_settings(environ: Mapping[str, str] = os.environ) -> tuple[Settings, list[WrongSetting]]:
    """Read all settings, and whatever is wrong with them; in place of a wrong one stands its default.

    Raises WrongSetting for an INSTANCE_PATH, or a `portal.toml` in it, that cannot be read.
    """
    instance_path = Path(environ.get(PREFIX + "INSTANCE_PATH") or _default_instance()).absolute()
    try:
        setting_values.plain(str(instance_path))
    except ValueError as error:
        raise WrongSetting("instance_path", str(error)) from None
    from_file = _read_file(instance_path / SETTINGS_FILE)
    values: dict[str, Any] = {"instance_path": instance_path}
    wrong: dict[str, WrongSetting] = {}
    for name, (default, read) in _readers(instance_path).items():
        raw = environ.get(PREFIX + name.upper(), from_file.get(name, default))
        try:
            values[name] = raw if raw is None else read(setting_values.plain(_plain_text(raw)))
        except ValueError as error:
            wrong[name] = WrongSetting(name, str(error))
            values[name] = default if default is None else read(_plain_text(default))
    settings = Settings(**values)
    for name, problem in _contradictions(settings):
        wrong.setdefault(name, WrongSetting(name, problem))
    return settings, list(wrong.values())


def _default_instance() -> Path:
    """`instance/` of the checkout; outside a checkout, of the current folder."""
    return (_CHECKOUT if (_CHECKOUT / "pyproject.toml").exists() else Path.cwd()) / "instance"


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise WrongSetting("instance_path", f"holds a {SETTINGS_FILE} that cannot be read: {problem}") from None
    unknown = values.keys() - {field.name for field in fields(Settings)} | values.keys() & {"instance_path"}
    if unknown:
        raise WrongSetting(min(unknown), f"stands in {SETTINGS_FILE} but is not a setting of it")
    return values


def _plain_text(raw: object) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, list):
        return ",".join(str(item) for item in raw)
    return str(raw).strip()


def _readers(instance_path: Path) -> dict[str, tuple[Any, Callable[[str], Any]]]:
    """The default and the reader of each setting."""
    return {
        "base_url": ("http://127.0.0.1:5000", setting_values.base_url),
        "secret_key": (None, setting_values.secret_key),
        "secret_key_fallbacks": (
            "",
            lambda text: tuple(setting_values.secret_key(key) for key in setting_values.listed(text)),
        ),
        "database_url": (sqlite_url(instance_path / DATABASE_FILE), setting_values.database_url),
        "ratelimit_storage_uri": ("memory://", setting_values.storage_uri),
        "mail_server": (None, setting_values.mail_server),
        "mail_port": (25, setting_values.whole_number(1, 65535)),
        "mail_username": (None, lambda text: text or None),
        "mail_password": (None, lambda text: text or None),
        "mail_use_tls": (False, setting_values.switch),
        "mail_use_ssl": (False, setting_values.switch),
        "mail_default_sender": ("portal@localhost", setting_values.sender),
        "trusted_proxies": (0, setting_values.whole_number(0, 20)),
        **{name: (default, setting_values.limit) for name, default in DEFAULT_LIMITS.items()},
        "register_retry": ("10m", setting_values.duration),
        "reset_lifetime": ("30m", setting_values.duration),
        "magic_lifetime": ("15m", setting_values.duration),
        "verify_lifetime": ("24h", setting_values.duration),
        "reset_lifetime_max": ("24h", setting_values.duration),
        "identity_lifetime": ("30d", setting_values.duration),
        "identity_idle": ("7d", setting_values.duration),
        "password_min_length": (8, setting_values.whole_number(1, PASSWORD_MAX_LENGTH)),
        "argon2_time_cost": (2, setting_values.whole_number(1, 100)),
        "argon2_memory_kib": (19456, setting_values.whole_number(8, 4 * 1024 * 1024)),
        "argon2_parallelism": (1, setting_values.whole_number(1, 64)),
        "geoip_database": (None, setting_values.places),
        "metrics_port": (None, setting_values.whole_number(1, 65535)),
        "log_format": (None, setting_values.one_of("text", "json")),
        "event_retention": ("180d", setting_values.duration),
    }


def _contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    """The name of each setting that does not go together with others, and the problem."""
    if settings.mail_use_tls and settings.mail_use_ssl:
        yield "mail_use_ssl", "cannot be on together with MAIL_USE_TLS: choose one"
    if settings.argon2_memory_kib < 8 * settings.argon2_parallelism:
        yield "argon2_memory_kib", "must be at least 8 for each unit of ARGON2_PARALLELISM"
    if (settings.mail_username is None) != (settings.mail_password is None):
        yield "mail_password", "and MAIL_USERNAME must be set together, or neither"
    if settings.verify_lifetime > WAITING_LIFETIME:
        yield "verify_lifetime", f"is longer than {WAITING_LIFETIME.days} days, which no registration waits"
    if settings.reset_lifetime > settings.reset_lifetime_max:
        yield "reset_lifetime", "is longer than RESET_LIFETIME_MAX"
    if not settings.is_embedded and settings.secret_key is None:
        yield "secret_key", "must be set when the database is not SQLite: all machines need the same one"
