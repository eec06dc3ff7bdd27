"""`portal check`: every setting that is unsafe or incomplete for production, by name."""

import os
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import unquote, urlsplit

import click
from flask import Flask
from flask.cli import ScriptInfo
from limits import RateLimitItem
from limits import parse as parse_limit
from zxcvbn import zxcvbn

from portal.app import context_of
from portal.cli.check_organisations import Served, find_in_organisations, notes_on_organisations, read_organisations
from portal.cli.check_servers import Finding, find_in_mail, find_in_services, leads_nowhere
from portal.cli.errors import PlainCommand
from portal.instance_dir import KEY_FILE
from portal.settings import (
    DEFAULT_LIMITS,
    SETTINGS_FILE,
    Settings,
    WrongSetting,
    look_at_settings,
    unknown_variables,
)
from portal.storage import schema
from portal.storage.backends import DatabaseUnavailable
from portal.storage.database import Database

_KEY_MINIMUM = 15
"""Decimal digits of guesses: zxcvbn finds 16 and more for any drawn key that the start takes, few for a pattern."""
_WORDS = ("secret", "password", "example", "development", "insecure")
"""In no key that was drawn, and in many that were thought up."""
_JUDGED = 72
"""Characters: zxcvbn takes no more, and its time grows faster than its input."""
_ARGON2_MINIMUM = ((1, 47104), (2, 19456), (3, 12288), (4, 9216), (5, 7168))
"""Time cost and KiB of memory that OWASP's cheat sheet on password storage holds to be equally strong."""
_PASSWORD_MINIMUM = 8
"""NIST SP 800-63B-4, 3.1.1.2, for a password that is not the only factor."""

_LIMIT_MINIMUM = 3
"""Tries, and a slip of the pen or two among them."""
_LIMIT_RANGE = (1 / 10, 100)
"""How many times as strict, and as loose, as its default a limit may be without a word about it."""
_LIFETIME_MINIMUM = timedelta(minutes=5)
"""A mail may be on its way for that long, and a page may be open."""
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
    """Name every setting that is unsafe or incomplete for production.

    A line for each; exit status 1 if there is any. What may be meant so is only noted. Run it with the settings that
    the portal will have. The database is looked at once no setting is wrong, that is, keeps the portal from its start.
    """
    settings, wrong = look_at_settings()
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
        problem, organisations = _look_into(context_of(app).database)
        found += [("DATABASE_URL", problem)] if problem else []
        found += find_in_organisations(organisations, settings)
        notes += notes_on_organisations(organisations)
    # Of a wrong one, only its default was looked at.
    found = [(name, problem) for name, problem in found if name not in {refused.name for refused in wrong}]
    for name, problem in found:
        click.echo(f"{name}: {problem}")
    for name, hint in notes:
        click.echo(f"Note: {name}: {hint}")
    for refused in wrong:
        click.echo(f"Error: {refused.message}", err=True)
    if found or wrong:
        ctx.exit(1)
    click.echo("Nothing unsafe or incomplete was found.")


def _address(settings: Settings) -> Iterator[Finding]:
    if not settings.is_https:
        yield (
            "BASE_URL",
            "is http: passwords and cookies travel in the clear. Put a proxy with TLS in front, name https.",
        )
    if settings.is_loopback or leads_nowhere(settings.hostname):
        yield "BASE_URL", "is this machine only: links in mails lead nowhere. Name the public address."
    if settings.is_https and settings.trusted_proxies == 0:
        yield (
            "TRUSTED_PROXIES",
            "is 0, but only a proxy can bring https here: all visitors count as one network. Set how many there are.",
        )


def _keys(settings: Settings) -> Iterator[Finding]:
    if any(map(_is_guessable, settings.secret_key_fallbacks)):
        yield "SECRET_KEY_FALLBACKS", "holds one that can be guessed: end its rotation soon."
    if settings.secret_key is None:
        return
    if _is_guessable(settings.secret_key):
        yield (
            "SECRET_KEY",
            "can be guessed. Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    if settings.secret_key in settings.secret_key_fallbacks:
        yield "SECRET_KEY_FALLBACKS", "holds the SECRET_KEY itself: list other keys only."
    elsewhere = {settings.mail_password, *_passwords_in(settings.database_url, settings.ratelimit_storage_uri)}
    if settings.secret_key in elsewhere:
        yield "SECRET_KEY", "is shared with another service: whoever runs that could sign links. Make one of its own."


def _is_guessable(key: str) -> bool:
    """Whether a key was thought up and not drawn: by its words, or by what zxcvbn makes of it."""
    return any(word in key.lower() for word in _WORDS) or zxcvbn(key[:_JUDGED])["guesses_log10"] < _KEY_MINIMUM


def _passwords_in(*urls: str) -> Iterator[str]:
    for url in urls:
        yield unquote(urlsplit(url).password or "")


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
    if settings.event_retention < _RETENTION_MINIMUM:
        yield "EVENT_RETENTION", "is under a day: what happened is forgotten before anybody has looked."
    for name, most in _LIFETIME_MAXIMA.items():
        if getattr(settings, name) > most:
            yield name.upper(), f"is longer than NIST SP 800-63B allows, {most.total_seconds() / 3600:.0f} hours."


def _environment() -> Iterator[Finding]:
    if os.environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no"):
        yield "FLASK_DEBUG", "is on: `flask run` would show code and secrets to everybody. Unset it."
    yield from unknown_variables()


def _files(settings: Settings) -> Iterator[Finding]:
    folder = settings.instance_path
    if folder.exists() and folder.stat().st_mode & 0o077:
        yield "INSTANCE_PATH", f"is open to others on this machine, and holds files of others: chmod 700 {folder}"
    for name in (SETTINGS_FILE, KEY_FILE):
        path = settings.instance_path / name
        if path.exists() and path.stat().st_mode & 0o077:
            yield "INSTANCE_PATH", f"holds a {name} that others on this machine may read: chmod 600 {path}"


def _look_into(database: Database) -> tuple[str | None, list[Served]]:
    """What is wrong with the database; and where nothing is, the organisations that are in it."""
    try:
        problem = schema.current_problem(database)
        if not problem and not database.accepts_writes():
            problem = "takes no writes, as a standby does: name the server that does."
        return problem, [] if problem else read_organisations(database)
    except DatabaseUnavailable as error:
        return f"cannot be used: {error}.", []
