"""The JSON API: a Flask application of its own beside the pages, without sessions, cookies and form tokens.

The API key alone identifies the caller. Every response under /api/ is JSON, errors included.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, request

from portal import access_log, security_headers
from portal.api import docs, errors, keys, v1
from portal.api.answers import bad_request
from portal.app import settings_of
from portal.extensions import limiter
from portal.security_headers import MAX_BODY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from portal.domain.context import Context
    from portal.settings import Settings

_PATH = "/api"


def create_api(settings: "Settings", context: "Context", templates: str) -> Flask:
    """Create the API as an application of its own; `templates` is the folder with the page that describes it."""
    app = Flask(__name__, static_folder=None, template_folder=templates, instance_path=str(settings.instance_path))
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


class ApiDispatcher:
    """WSGI middleware that sends requests under /api/ to the API, and all others to the pages."""

    def __init__(self, pages: "WSGIApplication", api: "WSGIApplication") -> None:
        self._pages = pages
        self._api = api

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request to the API or the pages."""
        path = environ.get("PATH_INFO", "")
        is_api = path == _PATH or path.startswith(_PATH + "/")
        return (self._api if is_api else self._pages)(environ, start_response)
