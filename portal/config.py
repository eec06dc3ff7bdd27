"""Settings: read once from the environment and `portal.toml`, typed, refused by name when wrong."""

import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from limits import RateLimitItem
from limits import parse as parse_limit
from maxminddb import InvalidDatabaseError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from portal.domain.expiration import InvalidDuration, parse_duration
from portal.domain.passwords import MAX_LENGTH as PASSWORD_MAX_LENGTH
from portal.domain.passwords import Parameters
from portal.domain.places import Atlas
from portal.domain.waiting import WAITING_LIFETIME

PREFIX = "PORTAL_"
SETTINGS_FILE = "portal.toml"
DATABASE_FILE = "portal.sqlite3"
SECRET_KEY_MIN_LENGTH = 20
SECRET_KEY_MIN_VARIETY = 8
LONGEST = timedelta(days=36_500)
"""Added to any moment it is still a date; with more, each sign-in would fail."""
_CHECKOUT = Path(__file__).resolve().parent.parent


class WrongSetting(Exception):
    """One line that names the setting and says what is wrong with it. Never holds a secret's value."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{PREFIX}{name.upper()} {problem}")


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


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read all settings; the environment wins over `portal.toml`. Raises WrongSetting at the first wrong one."""
    instance_path = Path(environ.get(PREFIX + "INSTANCE_PATH") or _default_instance()).absolute()
    from_file = _read_file(instance_path / SETTINGS_FILE)
    values: dict[str, Any] = {"instance_path": instance_path}
    for name, (default, read) in _readers(instance_path).items():
        raw = environ.get(PREFIX + name.upper(), from_file.get(name, default))
        try:
            values[name] = raw if raw is None else read(_plain_text(raw))
        except ValueError as error:
            raise WrongSetting(name, str(error)) from None
    settings = Settings(**values)
    _check_together(settings)
    return settings


def _default_instance() -> Path:
    """`instance/` of the checkout; outside a checkout, of the current folder."""
    return (_CHECKOUT if (_CHECKOUT / "pyproject.toml").exists() else Path.cwd()) / "instance"


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WrongSetting("instance_path", f"holds a {SETTINGS_FILE} that cannot be read: {error}") from None
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
        "base_url": ("http://127.0.0.1:5000", _base_url),
        "secret_key": (None, _secret_key),
        "secret_key_fallbacks": ("", lambda text: tuple(_secret_key(key) for key in _listed(text))),
        "database_url": (f"sqlite:///{instance_path / DATABASE_FILE}", _database_url),
        "ratelimit_storage_uri": ("memory://", _storage_uri),
        "mail_server": (None, lambda text: text or None),
        "mail_port": (25, _whole_number(1, 65535)),
        "mail_username": (None, lambda text: text or None),
        "mail_password": (None, lambda text: text or None),
        "mail_use_tls": (False, _switch),
        "mail_use_ssl": (False, _switch),
        "mail_default_sender": ("portal@localhost", _sender),
        "trusted_proxies": (0, _whole_number(0, 20)),
        "login_limit_account": ("10 per 20 minutes", _limit),
        "login_limit_network": ("100 per 20 minutes", _limit),
        "register_limit_network": ("20 per hour", _limit),
        "mail_limit_address": ("5 per hour", _limit),
        "mail_limit_network": ("30 per hour", _limit),
        "register_retry": ("10m", _duration),
        "api_limit_prod": ("6000 per minute", _limit),
        "api_limit_dev": ("60 per minute", _limit),
        "reset_lifetime": ("30m", _duration),
        "magic_lifetime": ("15m", _duration),
        "verify_lifetime": ("24h", _duration),
        "reset_lifetime_max": ("24h", _duration),
        "identity_lifetime": ("30d", _duration),
        "identity_idle": ("7d", _duration),
        "password_min_length": (8, _whole_number(1, PASSWORD_MAX_LENGTH)),
        "argon2_time_cost": (2, _whole_number(1, 100)),
        "argon2_memory_kib": (19456, _whole_number(8, 4 * 1024 * 1024)),
        "argon2_parallelism": (1, _whole_number(1, 64)),
        "geoip_database": (None, _places),
        "metrics_port": (None, _whole_number(1, 65535)),
        "log_format": (None, _one_of("text", "json")),
        "event_retention": ("180d", _duration),
    }


def _check_together(settings: Settings) -> None:
    if settings.mail_use_tls and settings.mail_use_ssl:
        raise WrongSetting("mail_use_ssl", "cannot be on together with MAIL_USE_TLS: choose one")
    if settings.argon2_memory_kib < 8 * settings.argon2_parallelism:
        raise WrongSetting("argon2_memory_kib", "must be at least 8 for each unit of ARGON2_PARALLELISM")
    if (settings.mail_username is None) != (settings.mail_password is None):
        raise WrongSetting("mail_password", "and MAIL_USERNAME must be set together, or neither")
    if settings.verify_lifetime > WAITING_LIFETIME:
        raise WrongSetting(
            "verify_lifetime", f"is longer than {WAITING_LIFETIME.days} days, which no registration waits"
        )
    if settings.reset_lifetime > settings.reset_lifetime_max:
        raise WrongSetting("reset_lifetime", "is longer than RESET_LIFETIME_MAX")
    if not settings.is_embedded and settings.secret_key is None:
        raise WrongSetting("secret_key", "must be set when the database is not SQLite: all machines need the same one")


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://portal.example.com")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be a scheme, a host and perhaps a port, nothing after them")
    _ = parts.port  # raises ValueError when it is no port
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _secret_key(text: str) -> str:
    if len(text) < SECRET_KEY_MIN_LENGTH or len(set(text)) < SECRET_KEY_MIN_VARIETY:
        raise ValueError("is too weak; make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'")
    if any(word in text.lower() for word in ("changeme", "change-me", "change_me", "placeholder", "your-secret")):
        raise ValueError("is a placeholder; put a random one in its place")
    return text


def _database_url(text: str) -> str:
    try:
        url = make_url(text)
        url.get_dialect().import_dbapi()
    except (SQLAlchemyError, ImportError, ValueError):
        # The text may hold a password, and SQLAlchemy's message quotes it.
        raise ValueError(
            "is not a SQLAlchemy URL of an installed driver, such as sqlite:////var/lib/portal.db"
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError("must be SQLite or PostgreSQL, such as postgresql://portal@db.example.com/portal")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("must name a file: a database in memory would be lost, and threads could not share it")
    return text


def _storage_uri(text: str) -> str:
    if text != "memory://" and urlsplit(text).scheme not in ("redis", "rediss", "redis+unix"):
        raise ValueError("must be memory:// or redis://host:port/number")
    if text != "memory://" and find_spec("redis") is None:
        raise ValueError("needs the Python package redis, which is not installed")
    return text


def _places(text: str) -> Path | None:
    if not text:
        return None
    path = Path(text).absolute()
    try:
        Atlas(path)
    except (OSError, ValueError, InvalidDatabaseError):
        raise ValueError("is not a file of places in MaxMind's format (.mmdb) that can be read") from None
    return path


def _sender(text: str) -> str:
    own = text.endswith("@localhost")  # this machine, which validate_email does not take for a domain
    checked = text.removesuffix("@localhost") + "@example.com" if own else text
    try:
        found = validate_email(checked, check_deliverability=False)
    except EmailNotValidError:
        raise ValueError("must be one e-mail address, such as portal@example.com") from None
    address = text if own else found.normalized
    if not address.isascii():
        raise ValueError("must be an ASCII e-mail address")
    return address


def _limit(text: str) -> RateLimitItem:
    try:
        item = parse_limit(text)
    except ValueError:
        raise ValueError('must be a number and a span, such as "10 per 20 minutes"') from None
    if item.amount < 1:
        raise ValueError("must allow at least 1: with 0 nobody could get in")
    return item


def _duration(text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except InvalidDuration as error:
        raise ValueError(f'{error}; write it like "3h 20m"') from None
    if duration > LONGEST:
        raise ValueError("is longer than 100 years")
    return duration


def _whole_number(least: int, most: float = math.inf) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def _switch(text: str) -> bool:
    choices = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    try:
        return choices[text.lower() or "false"]
    except KeyError:
        raise ValueError("must be true or false") from None


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return text

    return read


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
