"""Builds the domain's tools from the settings: the one place where the two meet."""

from typing import cast

from flask import Flask, current_app
from limits.storage import Storage

from portal.config import Settings, WrongSetting
from portal.domain.clock import Clock, SystemClock
from portal.domain.context import Context, Rules
from portal.domain.database import open_database
from portal.domain.errors import Busy
from portal.domain.hashing import Hasher
from portal.domain.places import Atlas
from portal.domain.throttling import Throttle
from portal.domain.tokens import LinkSigner
from portal.domain.window_storage import WindowStorage


def assemble(settings: Settings, secret_key: str, clock: Clock | None = None) -> Context:
    """The tools of the domain, as these settings want them. Connects to nothing yet. Raises WrongSetting."""
    return Context(
        database=open_database(settings.database_url),
        clock=clock or SystemClock(),
        hasher=_hasher(settings),
        throttle=Throttle(_storage(settings.ratelimit_storage_uri)),
        signer=LinkSigner([*settings.secret_key_fallbacks, secret_key]),
        atlas=Atlas(settings.geoip_database),
        rules=Rules(
            login_limit_account=settings.login_limit_account,
            login_limit_network=settings.login_limit_network,
            register_limit_network=settings.register_limit_network,
            mail_limit_address=settings.mail_limit_address,
            mail_limit_network=settings.mail_limit_network,
            register_retry=settings.register_retry,
            api_limit_prod=settings.api_limit_prod,
            api_limit_dev=settings.api_limit_dev,
            reset_lifetime=settings.reset_lifetime,
            reset_lifetime_max=settings.reset_lifetime_max,
            magic_lifetime=settings.magic_lifetime,
            verify_lifetime=settings.verify_lifetime,
            identity_lifetime=settings.identity_lifetime,
            identity_idle=settings.identity_idle,
            password_min_length=settings.password_min_length,
            event_retention=settings.event_retention,
        ),
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
