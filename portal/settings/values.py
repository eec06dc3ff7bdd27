"""Parse the text of a setting into its value; a wrong text raises ValueError with the problem."""

import math
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from limits import RateLimitItem, parse_many
from maxminddb import InvalidDatabaseError

from portal.domain.geoip import GeoIPDatabase
from portal.domain.passwords.breached import BreachedPasswords, InvalidFile
from portal.domain.values.durations import InvalidDuration, parse_duration
from portal.settings.addresses import is_host

SECRET_KEY_MIN_LENGTH = 20
SECRET_KEY_MIN_VARIETY = 8
LONGEST = timedelta(days=36_500)
"""The longest duration; added to the current time it is still a valid date."""

_ZERO_SPAN = re.compile(r"(?:/|per)\s*0+\s*[a-z]", re.IGNORECASE)
"""A span of 0, which the library would read as 1."""


def plain(text: str) -> str:
    """Return a text that is UTF-8 without zero bytes, which an environment variable need not be."""
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
        raise ValueError("must be ASCII; write an international host name in its IDNA form, which begins with xn--")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not is_host(parts.hostname or ""):
        raise ValueError("must be an address such as https://portal.example.com")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be a scheme, a host and perhaps a port, with nothing after them")
    if parts.port == 0:  # `port` raises ValueError for other invalid ports
        raise ValueError("must be a scheme, a host and perhaps a port from 1 to 65535")
    default_port = ":443" if parts.scheme == "https" else ":80"
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default_port)}"


def secret_key(text: str) -> str:
    """Return a key that is neither short nor a placeholder."""
    if len(text) < SECRET_KEY_MIN_LENGTH or len(set(text)) < SECRET_KEY_MIN_VARIETY:
        raise ValueError("is too weak; create one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'")
    if any(word in text.lower() for word in ("changeme", "change-me", "change_me", "placeholder", "your-secret")):
        raise ValueError("is a placeholder; replace it by a random key")
    return text


def secret_keys(text: str) -> tuple[str, ...]:
    """Parse keys separated by commas; each must be as strong as SECRET_KEY."""
    return tuple(secret_key(key.strip()) for key in text.split(",") if key.strip())


def anything(text: str) -> str:
    """Return the text as it is."""
    return text


def path(text: str) -> Path:
    """Return an absolute path; a ~ at its beginning is the home folder, as in a shell."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("begins with a ~ that is no home folder; write the whole path") from None


def mail_server(text: str) -> str:
    """Validate a host name or address."""
    if not is_host(text):
        raise ValueError("must be a host name or an IP address, in ASCII and without a port (that is MAIL_PORT)")
    return text


def geoip_database(text: str) -> Path:
    """Return the path of a readable GeoIP database."""
    file = path(text)
    try:
        GeoIPDatabase(file)
    except (OSError, ValueError, InvalidDatabaseError):
        raise ValueError("is not a readable GeoIP database in MaxMind's format (.mmdb)") from None
    return file


def pwned_passwords(text: str) -> Path:
    """Return the path of a readable file of breached passwords."""
    file = path(text)
    try:
        BreachedPasswords(file)
    except InvalidFile as error:
        raise ValueError(str(error)) from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    return file


def sender(text: str) -> str:
    """Validate one email address in ASCII."""
    is_local = text.endswith("@localhost")  # which validate_email does not accept as a domain
    checked = text.removesuffix("@localhost") + "@example.com" if is_local else text
    try:
        found = validate_email(checked, check_deliverability=False)
    except EmailNotValidError:
        raise ValueError("must be one email address, such as portal@example.com") from None
    address = text if is_local else found.normalized
    if not address.isascii():
        raise ValueError("must be an ASCII email address")
    return address


def limit(text: str) -> RateLimitItem:
    """Parse a rate limit: a number and a span."""
    try:
        item, *more = parse_many(text)
    except ValueError:
        raise ValueError('must be a number and a span, such as "10 per 20 minutes"') from None
    if more or _ZERO_SPAN.search(text):
        raise ValueError('must be one number and one span that is not 0, such as "10 per 20 minutes"')
    if item.get_expiry() > LONGEST.total_seconds():
        raise ValueError("has a span that is longer than 100 years")
    if item.amount < 1:
        raise ValueError("must allow at least 1; with 0, no customer could sign in")
    return item


def duration(text: str) -> timedelta:
    """Parse a duration (docs/api.md#durations)."""
    try:
        duration = parse_duration(text)
    except InvalidDuration as error:
        raise ValueError(f'{error}; use a form like "3h 20m"') from None
    if duration > LONGEST:
        raise ValueError("is longer than 100 years")
    return duration


def duration_or_zero(text: str) -> timedelta:
    """Parse a duration, or a plain 0; every other way to write zero is refused, as for durations elsewhere."""
    if text == "0":
        return timedelta(0)
    try:
        return duration(text)
    except ValueError as error:
        raise ValueError(f"{error}, or 0") from None


def whole_number(minimum: int, maximum: float = math.inf) -> Callable[[str], int]:
    """Return a parser of whole numbers between two bounds, both included."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and minimum <= int(text) <= maximum):
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return read


def switch(text: str) -> bool:
    """Parse true or false, also written as 1, yes, on, 0, no and off."""
    choices = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    try:
        return choices[text.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts one of some words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return text

    return read
