"""The HTML pages: forms, and views that each call one use case of the domain."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import access_log, security_headers
from portal.domain.identities import SHORT_LIFETIME
from portal.domain.values.ip_addresses import without_ports
from portal.security_headers import MAX_BODY
from portal.settings import Settings
from portal.web import (
    account,
    account_data,
    account_passkeys,
    account_sessions,
    activity,
    address_change,
    embedding,
    errors,
    forgery,
    handover,
    health,
    language,
    login,
    mail_sign_in,
    mailbox,
    not_me,
    organisation,
    password,
    presentation,
    profile,
    reauthentication,
    registration,
    theme,
    two_step,
    wording,
)
from portal.web.cookies import TwoCookies

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def flask_config(settings: Settings, secret_key: str) -> dict[str, object]:
    """Return the configuration of Flask and Flask-WTF."""
    return {
        "SECRET_KEY": secret_key,
        "SECRET_KEY_FALLBACKS": list(settings.secret_key_fallbacks),
        "SESSION_COOKIE_NAME": "__Host-portal" if settings.is_https else "portal",
        "SESSION_COOKIE_SECURE": settings.is_https,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_REFRESH_EACH_REQUEST": False,  # the server decides when an identity expires
        "PERMANENT_SESSION_LIFETIME": max(settings.identity_lifetime, SHORT_LIFETIME),
        "MAX_CONTENT_LENGTH": MAX_BODY,
        "MAX_FORM_MEMORY_SIZE": MAX_BODY,
        "MAX_FORM_PARTS": 100,
        "WTF_CSRF_TIME_LIMIT": None,  # a form token is valid as long as its session cookie
        "WTF_I18N_ENABLED": False,  # WTForms' messages are never shown, and it would load them for each request
        "WTF_CSRF_SSL_STRICT": False,  # forgery.py checks Origin, which is more reliable than Referer
    }


class TrustedProxies(ProxyFix):
    """Apply the X-Forwarded headers of trusted proxies, including addresses with a port (Azure, IPv6)."""

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if forwarded_for := environ.get("HTTP_X_FORWARDED_FOR"):
            environ["HTTP_X_FORWARDED_FOR"] = without_ports(forwarded_for)
        return super().__call__(environ, start_response)


def register(app: Flask) -> None:
    """Add the pages to an app, and the functions around each request, in order."""
    settings: Settings = app.extensions["portal_settings"]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = TrustedProxies(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_port=hops)  # type: ignore[method-assign] # Flask's documented way to add middleware
    organisation.register(app)
    access_log.register(app)
    security_headers.register(app)
    language.register(app)
    forgery.register(app)
    app.session_interface = TwoCookies()
    presentation.register(app)
    wording.register(app)
    embedding.register(app)
    theme.register(app)
    errors.register(app)
    for module in (
        organisation,
        login,
        mail_sign_in,
        registration,
        password,
        not_me,
        account,
        profile,
        account_passkeys,
        account_sessions,
        account_data,
        address_change,
        activity,
        reauthentication,
        two_step,
        embedding,
        handover,
        theme,
        language,
        health,
        mailbox,
    ):
        app.register_blueprint(module.pages)
