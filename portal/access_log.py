"""The id of each request, and its line in the log; a warning where a proxy is in front that is not trusted."""

import logging
import secrets
from time import perf_counter

from flask import Flask, Response, g, request

from portal.app import settings_of

_log = logging.getLogger("portal.access")
_proxies_log = logging.getLogger("portal.proxies")


def register(app: Flask) -> None:
    """Log every request of an app, with the headers that other functions set: register this one first."""
    if not settings_of(app).trusted_proxies:
        _tell_of_proxies(app)

    @app.before_request
    def begin() -> None:
        g.request_id = secrets.token_hex(8)
        g.started = perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = perf_counter() - g.started
        fields = {
            "method": request.method,
            "route": str(request.url_rule or "-"),  # and not the path: paths hold tokens
            "status": response.status_code,
            "ms": round(seconds * 1000, 1),
            "request": g.request_id,
        }
        message = "%(method)s %(route)s %(status)d %(ms).1fms request=%(request)s"
        if "caller" in g:  # whose key the API was asked with (api/keys.py)
            message += " key=%(key)s"
            fields["key"] = g.caller.key_id
        _log.info(message, fields, extra={"fields": fields})
        return response


def _tell_of_proxies(app: Flask) -> None:
    """Say once that requests seem to come through a proxy whose word does not count: strangers then share their limits.

    Only once, and without the address: anybody can send the header to a portal that has no proxy in front.
    """
    told = False

    @app.before_request
    def look() -> None:
        nonlocal told
        if not told and "X-Forwarded-For" in request.headers:
            told = True
            _proxies_log.warning(
                "a request came with X-Forwarded-For, and TRUSTED_PROXIES is 0: if there is a proxy in front, all"
                " visitors count as one network; say how many proxies there are"
            )
