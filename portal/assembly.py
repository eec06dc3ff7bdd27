"""Builds the domain's tools from the settings: the one place where the two meet."""

from dataclasses import fields
from typing import cast

from flask import Flask, current_app
from limits.storage import Storage

from portal.domain.breached_passwords import BreachedPasswords
from portal.domain.clock import Clock, SystemClock
from portal.domain.context import Context, Rules
from portal.domain.counters import Counters
from portal.domain.database import open_database
from portal.domain.errors import Busy
from portal.domain.hashing import Hasher
from portal.domain.places import Atlas
from portal.domain.throttling import Throttle
from portal.domain.tokens import LinkSigner
from portal.domain.window_storage import WindowStorage
from portal.settings import Settings, WrongSetting


def assemble(settings: Settings, secret_key: str, clock: Clock | None = None) -> Context:
    """The tools of the domain, as these settings want them. Connects to nothing yet. Raises WrongSetting."""
    return Context(
        database=open_database(settings.database_url),
        clock=clock or SystemClock(),
        hasher=_hasher(settings),
        throttle=Throttle(Counters(_storage(settings.ratelimit_storage_uri))),
        signer=LinkSigner([*settings.secret_key_fallbacks, secret_key]),
        atlas=Atlas(settings.geoip_database),
        breached=BreachedPasswords(settings.pwned_passwords_file),
        rules=Rules(**{rule.name: getattr(settings, rule.name) for rule in fields(Rules)}),
    )


def context_of(app: Flask) -> Context:
    """The domain's tools of an app."""
    return cast(Context, app.extensions["portal"])


def settings_of(app: Flask) -> Settings:
    """The settings an app was made with."""
    return cast(Settings, app.extensions["portal_settings"])


def current_context() -> Context:
    """The domain's tools, inside a request or command."""
    return context_of(current_app)


def _hasher(settings: Settings) -> Hasher:
    try:
        return Hasher(settings.argon2)
    except Busy:
        raise WrongSetting("argon2_memory_kib", "is more than this machine has to spare") from None


def _storage(uri: str) -> Storage:
    if uri == "memory://":
        return WindowStorage()
    # Only who shares counters pays for the import.
    from portal.domain.shared_storage import SharedStorage

    return SharedStorage(uri)
