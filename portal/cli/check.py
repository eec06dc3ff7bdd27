"""`portal check`: every setting that is unsafe or incomplete for production, by name."""

import os
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from urllib.parse import urlsplit

import click
from flask import current_app
from flask.cli import with_appcontext
from limits import RateLimitItem
from limits import parse as parse_limit
from sqlalchemy.engine import make_url

from portal import schema
from portal.assembly import current_context, settings_of
from portal.cli.errors import PlainCommand
from portal.config import DEFAULT_LIMITS, PREFIX, SETTINGS_FILE, Settings, is_loopback_host
from portal.domain.database import DatabaseAway
from portal.domain.organisations import DEFAULT, Organisation, list_organisations
from portal.instance import KEY_FILE

_DEFAULT_SENDER_HOST = "localhost"
_ARGON2_MINIMUM = ((1, 47104), (2, 19456), (3, 12288), (4, 9216), (5, 7168))
"""Time cost and KiB of memory that OWASP's cheat sheet on password storage holds to be equally strong."""
_PASSWORD_MINIMUM = 8
"""NIST SP 800-63B-4, 3.1.1.2, for a password that is not the only factor; as security.md P1 has it."""

_LIMIT_MINIMUM = 3
"""Tries, and a slip of the pen or two among them."""
_LIMIT_RANGE = (1 / 10, 100)
"""How many times as strict, and as loose, as its default a limit may be without a word about it."""
_LIFETIME_MINIMUM = timedelta(minutes=5)
"""A mail may be on its way for that long, and a page may be open."""
_LIFETIME_MAXIMA = {
    "reset_lifetime_max": timedelta(hours=24),
    "magic_lifetime": timedelta(hours=24),
    "identity_lifetime": timedelta(days=30),
}
"""NIST SP 800-63B-4, 4.2.1.2 and 2.1.3."""

Finding = tuple[str, str]
"""The name of a setting or an organisation, and what is wrong with it and what to do."""


@click.command(cls=PlainCommand)
@with_appcontext
@click.pass_context
def check(ctx: click.Context) -> None:
    """Name every setting that is unsafe or incomplete for production.

    A line for each; exit status 1 if there is any. Run it with the settings that the portal will have.
    """
    settings = settings_of(current_app)
    found = [*_address(settings), *_keys(settings), *_services(settings), *_mail(settings), *_passwords(settings)]
    found += [*_limits(settings), *_lifetimes(settings), *_environment(), *_files(settings), *_database(settings)]
    for name, problem in found:
        click.echo(f"{name}: {problem}")
    if found:
        ctx.exit(1)
    click.echo("Nothing unsafe or incomplete was found.")


def _address(settings: Settings) -> Iterator[Finding]:
    if not settings.is_https:
        yield (
            "BASE_URL",
            "is http: passwords and cookies travel in the clear. Put a proxy with TLS in front, name https.",
        )
    if settings.is_loopback:
        yield "BASE_URL", "is this machine only: links in mails lead nowhere. Name the public address."
    if settings.is_https and settings.trusted_proxies == 0:
        yield (
            "TRUSTED_PROXIES",
            "is 0, but only a proxy can bring https here: all visitors count as one network. Set how many there are.",
        )


def _keys(settings: Settings) -> Iterator[Finding]:
    if settings.secret_key is None:
        return
    if settings.secret_key in settings.secret_key_fallbacks:
        yield "SECRET_KEY_FALLBACKS", "holds the SECRET_KEY itself: list other keys only."
    elsewhere = {settings.mail_password, *_passwords_in(settings.database_url, settings.ratelimit_storage_uri)}
    if settings.secret_key in elsewhere:
        yield "SECRET_KEY", "is shared with another service: whoever runs that could sign links. Make one of its own."


def _passwords_in(*urls: str) -> Iterator[str | None]:
    for url in urls:
        yield urlsplit(url).password


def _services(settings: Settings) -> Iterator[Finding]:
    if not settings.is_embedded and settings.ratelimit_storage_uri == "memory://":
        yield (
            "RATELIMIT_STORAGE_URI",
            "is the memory of each process: with several processes limits are as many times higher. Use redis://.",
        )
    database = make_url(settings.database_url)
    is_near = database.host is None or database.host.startswith("/") or is_loopback_host(database.host)
    if not settings.is_embedded and not is_near and database.query.get("sslmode") not in ("verify-full", "verify-ca"):
        yield "DATABASE_URL", "does not check who the server is: add ?sslmode=verify-full."
    limits = urlsplit(settings.ratelimit_storage_uri)
    if limits.scheme == "redis" and not is_loopback_host(limits.hostname or ""):
        yield "RATELIMIT_STORAGE_URI", "is not encrypted: use rediss://."


def _mail(settings: Settings) -> Iterator[Finding]:
    if settings.mail_server is None:
        yield "MAIL_SERVER", "is not set: no mail leaves, it goes to the local mailbox. Name a mail server."
    elif not (settings.mail_use_tls or settings.mail_use_ssl or is_loopback_host(settings.mail_server)):
        yield "MAIL_USE_TLS", "is off: mails with links that let people in travel in the clear. Turn it on."
    if settings.mail_default_sender.endswith(f"@{_DEFAULT_SENDER_HOST}"):
        yield "MAIL_DEFAULT_SENDER", "is an address that nobody accepts mail from. Name one of your domain."


def _passwords(settings: Settings) -> Iterator[Finding]:
    memory, time = settings.argon2_memory_kib, settings.argon2_time_cost
    if not any(time >= least_time and memory >= least_memory for least_time, least_memory in _ARGON2_MINIMUM):
        yield "ARGON2_MEMORY_KIB", "and ARGON2_TIME_COST make hashes that are cheap to guess: at least 19456 and 2."
    if settings.password_min_length < _PASSWORD_MINIMUM:
        yield "PASSWORD_MIN_LENGTH", f"is under {_PASSWORD_MINIMUM}, the least that NIST SP 800-63B allows."


def _limits(settings: Settings) -> Iterator[Finding]:
    for name, default in DEFAULT_LIMITS.items():
        limit: RateLimitItem = getattr(settings, name)
        ratio = _rate(limit) / _rate(parse_limit(default))
        if limit.amount < _LIMIT_MINIMUM or ratio < _LIMIT_RANGE[0]:
            yield name.upper(), f"turns customers away who did nothing wrong: by default it is {default}."
        elif ratio > _LIMIT_RANGE[1]:
            yield name.upper(), f"is so high that it stops nobody: by default it is {default}."


def _rate(limit: RateLimitItem) -> float:
    return limit.amount / limit.get_expiry()


def _lifetimes(settings: Settings) -> Iterator[Finding]:
    for name in ("reset_lifetime", "magic_lifetime", "verify_lifetime", "identity_lifetime", "identity_idle"):
        if getattr(settings, name) < _LIFETIME_MINIMUM:
            yield name.upper(), "is under 5 minutes: it is over before people have come so far."
    for name, most in _LIFETIME_MAXIMA.items():
        if getattr(settings, name) > most:
            yield name.upper(), f"is longer than NIST SP 800-63B allows, {most.total_seconds() / 3600:.0f} hours."


def _environment() -> Iterator[Finding]:
    if os.environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no"):
        yield "FLASK_DEBUG", "is on: `flask run` would show code and secrets to everybody. Unset it."
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            yield name.removeprefix(PREFIX), f"is no setting, yet {name} is in the environment. Is it mistyped?"


def _files(settings: Settings) -> Iterator[Finding]:
    folder = settings.instance_path
    if folder.exists() and folder.stat().st_mode & 0o077:
        yield "INSTANCE_PATH", f"is open to others on this machine, and holds files of others: chmod 700 {folder}"
    for name in (SETTINGS_FILE, KEY_FILE):
        path = settings.instance_path / name
        if path.exists() and path.stat().st_mode & 0o077:
            yield "INSTANCE_PATH", f"holds a {name} that others on this machine may read: chmod 600 {path}"


def _database(settings: Settings) -> Iterator[Finding]:
    database = current_context().database
    try:
        problem = schema.current_problem(database)
    except DatabaseAway as error:
        problem = f"cannot be used: {error}."
    if problem:
        yield "DATABASE_URL", problem
        return
    with database.read() as connection:
        found = list_organisations(connection)
    for organisation in found:
        yield from _organisation(organisation, settings)


def _organisation(organisation: Organisation, settings: Settings) -> Iterator[Finding]:
    if organisation.slug == DEFAULT:
        return
    name = f"organisation {organisation.slug}"
    if organisation.hostname is None:
        yield name, f"has no host name: links in its mails lead to the pages of {DEFAULT}. Set --hostname."
    elif organisation.hostname == settings.hostname:
        yield name, f"has the host of BASE_URL, where the pages of {DEFAULT} are. Set another --hostname."
