"""Reads the text of a setting into its value; what cannot be read is a ValueError that says what to write instead."""

import math
import re
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from limits import RateLimitItem, parse_many
from maxminddb import InvalidDatabaseError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from portal.domain.geoip import GeoIPDatabase
from portal.domain.passwords.breached import BreachedPasswords, InvalidFile
from portal.domain.values.durations import InvalidDuration, parse_duration
from portal.domain.values.urls import parse_hostname

SECRET_KEY_MIN_LENGTH = 20
SECRET_KEY_MIN_VARIETY = 8
LONGEST = timedelta(days=36_500)
"""Added to any moment it is still a date; with more, each sign-in would fail."""

_NO_TIME = re.compile(r"(?:/|per)\s*0+\s*[a-z]", re.IGNORECASE)
"""A span of 0, which the library takes for one of 1."""


def plain(text: str) -> str:
    """What the system, a database and a mail can all be told; the bytes of an environment need not be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8") from None
    if "\0" in text:
        raise ValueError("must be UTF-8 without a zero byte")
    return text


def base_url(text: str) -> str:
    """A scheme, a host and perhaps a port, lower-case; the port of the scheme is left out, as browsers do."""
    if not text.isascii():
        raise ValueError("must be ASCII: a host of other letters is written as browsers send it, beginning with xn--")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not _is_host(parts.hostname or ""):
        raise ValueError("must be an address such as https://portal.example.com")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be a scheme, a host and perhaps a port, nothing after them")
    if parts.port == 0:  # raises ValueError when it is no port at all
        raise ValueError("must be a scheme, a host and perhaps a port, which 0 is not")
    default_port = ":443" if parts.scheme == "https" else ":80"
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default_port)}"


def secret_key(text: str) -> str:
    """A key that nobody guesses."""
    if len(text) < SECRET_KEY_MIN_LENGTH or len(set(text)) < SECRET_KEY_MIN_VARIETY:
        raise ValueError("is too weak; make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'")
    if any(word in text.lower() for word in ("changeme", "change-me", "change_me", "placeholder", "your-secret")):
        raise ValueError("is a placeholder; put a random one in its place")
    return text


def secret_keys(text: str) -> tuple[str, ...]:
    """Keys between commas, each as strong as a single one."""
    return tuple(secret_key(key.strip()) for key in text.split(",") if key.strip())


def anything(text: str) -> str:
    """Any text."""
    return text


def path(text: str) -> Path:
    """A whole path; a shell's ~ is the home folder here, too, where no shell has seen it."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("begins with a ~ that leads to no home folder: write the whole path") from None


def database_url(text: str) -> str:
    """A SQLAlchemy URL that names what will last; the older postgres:// is taken for postgresql://."""
    if text.startswith("postgres://"):
        text = text.replace("postgres", "postgresql", 1)
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
    if url.get_dialect().is_async:
        raise ValueError("names a driver for asyncio, which the portal cannot use: begin it with postgresql://")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("must name a file: a database in memory would be lost, and threads could not share it")
    if url.get_backend_name() == "sqlite" and url.query:
        raise ValueError("must name a file, nothing after it: how SQLite is opened is the portal's own matter")
    if not _takes_arguments(url):
        # The driver's message may quote a part of a password, too.
        raise ValueError("cannot be used: its host, its port or an argument after the ? is not the driver's")
    if url.get_backend_name() == "sqlite" and str(url.database).startswith("~"):
        return sqlite_url(path(str(url.database)))
    return text


def sqlite_url(file: Path) -> str:
    """The SQLAlchemy URL of a SQLite file, whatever is in its name: as they are, ? and % would lead elsewhere."""
    return URL.create("sqlite", database=str(file)).render_as_string()


def _takes_arguments(url: URL) -> bool:
    """Whether the driver takes all that a URL says."""
    if url.get_backend_name() == "sqlite":
        return not url.host
    import psycopg  # loads libpq, which a portal on SQLite does without
    from psycopg.conninfo import make_conninfo

    try:
        _, arguments = url.get_dialect()().create_connect_args(url)
        make_conninfo(**arguments)
        whole_number(0, 3600)(arguments.get("connect_timeout", "0"))
    except (SQLAlchemyError, psycopg.Error, ValueError, AttributeError):
        return False
    return True


def storage_uri(text: str) -> str:
    """Where limits are counted."""
    if text == "memory://":
        return text
    if text.partition("://")[0] not in ("redis", "rediss", "redis+unix"):
        raise ValueError("must be memory:// or redis://host:port/number")
    if find_spec("redis") is None:
        raise ValueError("needs the Python package redis, which is not installed")
    from redis.exceptions import RedisError

    from portal.storage.redis_counters import RedisCounters

    try:
        # The library reads some of it only when it makes a connection, which goes nowhere yet, or sends a command.
        RedisCounters(text).storage.connection_pool.make_connection().pack_command("GET", "key")
        if not text.startswith("redis+unix:"):
            int(urlsplit(text).path.strip("/") or 0)  # of any other word the library makes 0
    except (ValueError, TypeError, LookupError, RedisError):
        # The text may hold a password, and the library's message a part of it.
        raise ValueError(
            "cannot be used: its port, its database, or an argument after the ?, is not one of redis-py's"
        ) from None
    return text


def mail_server(text: str) -> str:
    """A host."""
    if not _is_host(text):
        raise ValueError("must be a host name or an IP address, in ASCII and without a port (that is MAIL_PORT)")
    return text


def places(text: str) -> Path:
    """A readable file of places."""
    file = path(text)
    try:
        GeoIPDatabase(file)
    except (OSError, ValueError, InvalidDatabaseError):
        raise ValueError("is not a file of places in MaxMind's format (.mmdb) that can be read") from None
    return file


def pwned_passwords(text: str) -> Path:
    """A readable file of breached passwords."""
    file = path(text)
    try:
        BreachedPasswords(file)
    except InvalidFile as error:
        raise ValueError(str(error)) from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    return file


def sender(text: str) -> str:
    """One e-mail address, in ASCII."""
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


def limit(text: str) -> RateLimitItem:
    """A number of tries and a span."""
    try:
        item, *more = parse_many(text)
    except ValueError:
        raise ValueError('must be a number and a span, such as "10 per 20 minutes"') from None
    if more or _NO_TIME.search(text):
        raise ValueError('must be one number and one span that is not 0, such as "10 per 20 minutes"')
    if item.get_expiry() > LONGEST.total_seconds():
        raise ValueError("has a span that is longer than 100 years")
    if item.amount < 1:
        raise ValueError("must allow at least 1: with 0 nobody could get in")
    return item


def duration(text: str) -> timedelta:
    """A span of time."""
    try:
        duration = parse_duration(text)
    except InvalidDuration as error:
        raise ValueError(f'{error}; write it like "3h 20m"') from None
    if duration > LONGEST:
        raise ValueError("is longer than 100 years")
    return duration


def whole_number(least: int, most: float = math.inf) -> Callable[[str], int]:
    """A reader of whole numbers between two bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def switch(text: str) -> bool:
    """True or false, in the words that people use for them."""
    choices = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    try:
        return choices[text.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def one_of(*choices: str) -> Callable[[str], str]:
    """A reader that takes one of some words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return text

    return read


def _is_host(text: str) -> bool:
    """Whether it is an IP address or a name in ASCII; resolvers know an underscore, and a dot at the end, too."""
    name = text.lower().removesuffix(".").replace("_", "-")
    try:
        return parse_hostname(name) == name
    except ValueError:
        return _is_address(text)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
