"""`portal check`: list the settings that are unsafe or incomplete for production."""

import os
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import unquote, urlsplit

import click
from flask import Flask
from flask.cli import ScriptInfo
from limits import RateLimitItem
from limits import parse as parse_limit

from portal.app import context_of
from portal.cli.check_organisations import (
    OrganisationState,
    find_in_organisations,
    notes_on_organisations,
    read_organisations,
)
from portal.cli.check_overrides import find_in_overrides
from portal.cli.check_servers import Finding, find_in_mail, find_in_services, is_this_machine
from portal.cli.errors import PlainCommand
from portal.instance_dir import KEY_FILE
from portal.settings import (
    DEFAULT_LIMITS,
    SETTINGS_FILE,
    Settings,
    WrongSetting,
    inspect_settings,
    unknown_variables,
)
from portal.storage import schema
from portal.storage.backends import DatabaseUnavailable
from portal.storage.database import Database

_KEY_MINIMUM = 15
"""Decimal digits of guesses: zxcvbn estimates 16 or more for a random key that the start accepts, few for a pattern."""
_WORDS = ("secret", "password", "example", "development", "insecure")
"""Words that no random key has, and many invented keys have."""
_MAX_ESTIMATED = 72
"""Characters that zxcvbn accepts; its time grows faster than its input."""
_ARGON2_MINIMUM = ((1, 47104), (2, 19456), (3, 12288), (4, 9216), (5, 7168))
"""Time cost and KiB of memory of equal strength, from OWASP's Password Storage Cheat Sheet."""
_PASSWORD_MINIMUM = 8
"""NIST SP 800-63B-4, 3.1.1.2, for a password that is not the only factor."""

_LIMIT_MINIMUM = 3
"""Attempts, so that a customer may make a typo or two."""
_LIMIT_RANGE = (1 / 10, 100)
"""The ratios of a limit's rate to its default that are not reported."""
_LIFETIME_MINIMUM = timedelta(minutes=5)
"""The time that an email may take, or a page stay open."""
_RETENTION_MINIMUM = timedelta(days=1)
_LIFETIME_MAXIMA = {
    "reset_lifetime_max": timedelta(hours=24),
    "magic_lifetime": timedelta(hours=24),
    "identity_lifetime": timedelta(days=30),
}
"""NIST SP 800-63B-4, 4.2.1.2 and 2.1.3."""


@click.command(cls=PlainCommand)
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check the settings for production.

    Prints a line for each setting that is unsafe or incomplete, and exits with status 1 if there is one; notes do not
    change the status. Run it with the settings of the portal. The database is checked only when every setting has a
    valid value.
    """
    settings, wrong = inspect_settings()
    app: Flask | None = None
    if not wrong:
        try:
            app = ctx.ensure_object(ScriptInfo).load_app()
        except WrongSetting as error:
            wrong.append(error)
    found = [
        *_address(settings),
        *_keys(settings),
        *find_in_services(settings),
        *find_in_mail(settings),
        *_passwords(settings),
    ]
    found += [*_limits(settings), *_lifetimes(settings), *_environment(), *_files(settings)]
    notes: list[Finding] = []
    if app is not None:
        problem, organisations = _check_database(context_of(app).database)
        found += [("DATABASE_URL", problem)] if problem else []
        found += find_in_organisations(organisations, settings)
        found += find_in_overrides(app, [one.organisation for one in organisations])
        notes += notes_on_organisations(organisations)
    # In place of an invalid value, the default was checked.
    found = [(name, problem) for name, problem in found if name not in {invalid.name for invalid in wrong}]
    for name, problem in found:
        click.echo(f"{name}: {problem}")
    for name, hint in notes:
        click.echo(f"Note: {name}: {hint}")
    for invalid in wrong:
        click.echo(f"Error: {invalid.message}", err=True)
    if found or wrong:
        ctx.exit(1)
    click.echo("No unsafe or incomplete setting was found.")


def _address(settings: Settings) -> Iterator[Finding]:
    if not settings.is_https:
        yield (
            "BASE_URL",
            "http sends passwords and cookies unencrypted; put a TLS proxy in front and set an https address",
        )
    if settings.is_loopback or is_this_machine(settings.hostname):
        yield "BASE_URL", "links in emails lead to this machine only; set the public address"
    if settings.is_https and settings.trusted_proxies == 0:
        yield (
            "TRUSTED_PROXIES",
            "0 with https, which needs a proxy, so all visitors count as one network; set the number of proxies",
        )


def _keys(settings: Settings) -> Iterator[Finding]:
    if any(map(_is_guessable, settings.secret_key_fallbacks)):
        yield "SECRET_KEY_FALLBACKS", "one of the keys can be guessed; finish its rotation soon"
    if settings.secret_key is None:
        return
    if _is_guessable(settings.secret_key):
        yield (
            "SECRET_KEY",
            "can be guessed; create one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    if settings.secret_key in settings.secret_key_fallbacks:
        yield "SECRET_KEY_FALLBACKS", "contains SECRET_KEY itself; list only earlier or coming keys"
    elsewhere = {settings.mail_password, *_passwords_in(settings.database_url, settings.ratelimit_storage_uri)}
    if settings.secret_key in elsewhere:
        yield "SECRET_KEY", "is also the password of another service, which could sign links; create another key"


def _is_guessable(key: str) -> bool:
    """Return whether a key does not look random, by its words and zxcvbn's estimate."""
    from zxcvbn import zxcvbn  # its word lists take 12 MiB, and `portal serve` loads this module

    return any(word in key.lower() for word in _WORDS) or zxcvbn(key[:_MAX_ESTIMATED])["guesses_log10"] < _KEY_MINIMUM


def _passwords_in(*urls: str) -> Iterator[str]:
    for url in urls:
        yield unquote(urlsplit(url).password or "")


def _passwords(settings: Settings) -> Iterator[Finding]:
    memory, time = settings.argon2_memory_kib, settings.argon2_time_cost
    if not any(time >= min_time and memory >= min_memory for min_time, min_memory in _ARGON2_MINIMUM):
        yield (
            "ARGON2_MEMORY_KIB",
            "too low for ARGON2_TIME_COST, so hashes are cheap to guess; set at least 19456 with a time cost of 2",
        )
    if settings.password_min_length < _PASSWORD_MINIMUM:
        yield "PASSWORD_MIN_LENGTH", f"under {_PASSWORD_MINIMUM}, the minimum of NIST SP 800-63B-4; set it higher"


def _limits(settings: Settings) -> Iterator[Finding]:
    for name, default in DEFAULT_LIMITS.items():
        limit: RateLimitItem = getattr(settings, name)
        ratio = _rate(limit) / _rate(parse_limit(default))
        if limit.amount < _LIMIT_MINIMUM or ratio < _LIMIT_RANGE[0]:
            yield name.upper(), f"so low that it stops honest customers; the default is {default}"
        elif ratio > _LIMIT_RANGE[1]:
            yield name.upper(), f"so high that it stops no attacker; the default is {default}"


def _rate(limit: RateLimitItem) -> float:
    return limit.amount / limit.get_expiry()


def _lifetimes(settings: Settings) -> Iterator[Finding]:
    for name in ("reset_lifetime", "magic_lifetime", "verify_lifetime", "identity_lifetime", "identity_idle"):
        if getattr(settings, name) < _LIFETIME_MINIMUM:
            yield (
                name.upper(),
                "under 5 minutes, which is over before an email has arrived or a page is read; set it longer",
            )
    if settings.event_retention < _RETENTION_MINIMUM:
        yield "EVENT_RETENTION", "under a day, so events are deleted before an operator can read them; set it longer"
    for name, maximum in _LIFETIME_MAXIMA.items():
        if getattr(settings, name) > maximum:
            hours = maximum.total_seconds() / 3600
            yield name.upper(), f"longer than the {hours:.0f} hours of NIST SP 800-63B-4; set it shorter"


def _environment() -> Iterator[Finding]:
    if os.environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no"):
        yield "FLASK_DEBUG", "is on, so `flask run` shows code and secrets to every visitor; unset it"
    yield from unknown_variables()


def _files(settings: Settings) -> Iterator[Finding]:
    folder = settings.instance_path
    if folder.exists() and folder.stat().st_mode & 0o077:
        yield "INSTANCE_PATH", f"other users can open the folder; run: chmod 700 {folder}"
    for name in (SETTINGS_FILE, KEY_FILE):
        path = settings.instance_path / name
        if path.exists() and path.stat().st_mode & 0o077:
            yield "INSTANCE_PATH", f"other users can read its {name}; run: chmod 600 {path}"


def _check_database(database: Database) -> tuple[str | None, list[OrganisationState]]:
    """Return the problem of the database, or None and its organisations."""
    try:
        problem = schema.current_problem(database)
        if not problem and not database.accepts_writes():
            problem = "accepts no writes, like a standby server; set the primary server"
        return problem, [] if problem else read_organisations(database)
    except DatabaseUnavailable as error:
        return f"cannot be used ({error}); check the address and the server", []
