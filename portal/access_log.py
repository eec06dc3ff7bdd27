"""Request ids and the access log, with a warning about a proxy that is not trusted."""

import logging
import secrets
from time import perf_counter

from flask import Flask, Response, g, request

from portal.app import settings_of

_log = logging.getLogger("portal.access")
_proxies_log = logging.getLogger("portal.proxies")


def register(app: Flask) -> None:
    """Log every request of an app. Register this first, so that its `after_request` runs last."""
    if not settings_of(app).trusted_proxies:
        _warn_of_proxies(app)

    @app.before_request
    def begin() -> None:
        g.request_id = secrets.token_hex(8)
        g.started = perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        key = g.caller.key_id if "caller" in g else None  # the API key of the request (api/keys.py)
        route = str(request.url_rule or "-")  # not the path, which may contain a token
        log_request(request.method, route, response.status_code, perf_counter() - g.started, g.request_id, key)
        return response


def log_request(method: str, route: str, status: int, seconds: float, request_id: str, key: str | None = None) -> None:
    """Log an answered request, with the API key that it was made with."""
    fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1), "request": request_id}
    message = "%(method)s %(route)s %(status)d %(ms).1fms request=%(request)s"
    if key is not None:
        message += " key=%(key)s"
        fields["key"] = key
    _log.info(message, fields, extra={"fields": fields})


def _warn_of_proxies(app: Flask) -> None:
    """Warn once when a request seems to have come through a proxy that is not trusted.

    The warning has no address and appears once, since any client can send the header to a portal without a proxy.
    """
    is_logged = False

    @app.before_request
    def warn() -> None:
        nonlocal is_logged
        if not is_logged and "X-Forwarded-For" in request.headers:
            is_logged = True
            _proxies_log.warning(
                "TRUSTED_PROXIES: is 0, but a request has X-Forwarded-For; if a proxy is in front, set the number of"
                " proxies, since all visitors count as one network now"
            )
