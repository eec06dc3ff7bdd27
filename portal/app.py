"""Build the domain's context from the settings, and find both for an app."""

from dataclasses import fields
from typing import cast

from flask import Flask, current_app
from limits.storage import Storage

from portal.domain.context import Context, Rules
from portal.domain.errors import Busy
from portal.domain.geoip import GeoIPDatabase
from portal.domain.passwords.breached import BreachedPasswords
from portal.domain.passwords.hashing import Hasher
from portal.domain.rate_limiter import RateLimiter
from portal.domain.secret_box import SecretBox
from portal.domain.tokens import LinkSigner
from portal.settings import Settings, WrongSetting
from portal.storage.clock import Clock, SystemClock
from portal.storage.database import open_database
from portal.storage.memory_counters import MemoryCounters
from portal.storage.rate_limit_counters import FallbackCounters


def build_context(settings: Settings, secret_key: str, clock: Clock | None = None) -> Context:
    """Build the domain's context from the settings, without connecting to anything yet. Raises WrongSetting."""
    keys = [*settings.secret_key_fallbacks, secret_key]
    return Context(
        database=open_database(settings.database_url),
        clock=clock or SystemClock(),
        hasher=_hasher(settings),
        rate_limiter=RateLimiter(FallbackCounters(_storage(settings.ratelimit_storage_uri))),
        signer=LinkSigner(keys),
        secret_box=SecretBox(keys),
        geoip=GeoIPDatabase(settings.geoip_database),
        breached=BreachedPasswords(settings.pwned_passwords_file),
        rules=Rules(**{rule.name: getattr(settings, rule.name) for rule in fields(Rules)}),
    )


def context_of(app: Flask) -> Context:
    """Return the domain's context of an app."""
    return cast(Context, app.extensions["portal"])


def settings_of(app: Flask) -> Settings:
    """Return the settings of an app."""
    return cast(Settings, app.extensions["portal_settings"])


def current_context() -> Context:
    """Return the domain's context inside a request or command."""
    return context_of(current_app)


def _hasher(settings: Settings) -> Hasher:
    try:
        return Hasher(settings.argon2)
    except Busy:
        raise WrongSetting("argon2_memory_kib", "is more than the free memory of this machine; set it lower") from None


def _storage(uri: str) -> Storage:
    if uri == "memory://":
        return MemoryCounters()
    from portal.storage.redis_counters import RedisCounters  # slow to import, and only Redis needs it

    return RedisCounters(uri)
