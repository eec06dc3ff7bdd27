"""Create the API as a Flask application."""

from typing import TYPE_CHECKING

from flask import Flask, request

from portal import access_log, security_headers
from portal.api import docs, errors, keys, v1
from portal.api.answers import bad_request
from portal.app import settings_of
from portal.extensions import limiter
from portal.security_headers import MAX_BODY

if TYPE_CHECKING:
    from portal.domain.context import Context
    from portal.settings import Settings


def create_api(settings: "Settings", context: "Context", templates: str) -> Flask:
    """Create the API as an application of its own; `templates` is the folder with the page that describes it."""
    app = Flask("portal.api", static_folder=None, template_folder=templates, instance_path=str(settings.instance_path))
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY,
        PROVIDE_AUTOMATIC_OPTIONS=False,  # no page of another site may call the API, so there is no CORS preflight
    )
    app.json.sort_keys = False  # type: ignore[attr-defined] # Flask's own provider; the order is that of the reference API
    app.extensions["portal_settings"] = settings
    app.extensions["portal"] = context
    access_log.register(app)
    security_headers.register(app)
    _refuse_plain_http(app)
    limiter.init_app(app)
    keys.register(app)
    app.register_blueprint(v1.customer)
    errors.register(app, v1.customer.failures)
    app.register_blueprint(docs.pages(v1.customer, settings.base_url))
    return app


def _refuse_plain_http(app: Flask) -> None:
    """Refuse plain http when BASE_URL is https; with a redirect, clients would keep sending their key unencrypted."""
    if not settings_of(app).is_https:
        return

    @app.before_request
    def refuse() -> None:
        if request.scheme != "https":
            raise bad_request(
                "This API is reached by https only. (Behind a proxy that speaks https for the portal, the operator sets"
                " TRUSTED_PROXIES.)"
            )
