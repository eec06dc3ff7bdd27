"""Connect pages, API, settings and the domain to one application."""

from pathlib import Path

from flask import Flask

from portal import api, customisation, i18n, web
from portal.app import build_context, context_of, settings_of
from portal.extensions import csrf, limiter, mail
from portal.instance_dir import secret_key
from portal.mail.smtp import mail_config
from portal.settings import Settings, load_settings

_PACKAGE = Path(__file__).resolve().parent
# Templates and static files are inside the package in a wheel, and beside it in a checkout.
_RESOURCES = _PACKAGE if (_PACKAGE / "templates").is_dir() else _PACKAGE.parent


def compose(settings: Settings | None) -> Flask:
    """Create the portal as a WSGI application, without connecting to anything yet. Raises WrongSetting."""
    settings = settings or load_settings()
    key = secret_key(settings)
    app = Flask(
        "portal",
        template_folder=str(_RESOURCES / "templates"),
        static_folder=str(_RESOURCES / "static"),
        instance_path=str(settings.instance_path),
    )
    app.config.update(web.flask_config(settings, key))
    app.config.update(mail_config(settings))
    app.extensions["portal_settings"] = settings
    app.extensions["portal"] = build_context(settings, key)
    customisation.register(app, _RESOURCES / "templates")
    i18n.register(app)
    # Before web.register, whose ProxyFix middleware is for pages and API alike.
    app.wsgi_app = api.ApiDispatcher(app.wsgi_app, lambda: _create_api(app))  # type: ignore[method-assign] # Flask's documented way to add middleware
    web.register(app)
    csrf.init_app(app)
    limiter.init_app(app)
    mail.init_app(app)
    customisation.read_overrides(app)
    return app


def _create_api(app: Flask) -> Flask:
    from portal.api.application import create_api  # loads its libraries, at the first request

    return create_api(settings_of(app), context_of(app), str(_RESOURCES / "templates"))
