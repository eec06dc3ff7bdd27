"""Requests that another site makes a browser send: refused by where they come from, before the token is looked at."""

from urllib.parse import urlsplit

from flask import Flask, request
from flask_wtf.csrf import CSRFError

from portal.assembly import settings_of
from portal.web.organisation import current_organisation

_FOREIGN = frozenset({"cross-site", "same-site"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def register(app: Flask) -> None:
    """Refuse posts from other origins on every page of an app.

    Sec-Fetch-Site and Origin are set by the browser and cannot be set by a page; a request without them comes from no
    browser that could be tricked, and still needs its form token (extensions.py).
    """
    base_url = settings_of(app).base_url

    @app.before_request
    def refuse_foreign_posts() -> None:
        if request.method in _READING:
            return
        origin = request.headers.get("Origin")
        # Beside the host that was asked for, the public one: a proxy may hand another one on.
        own = urlsplit(current_organisation().url(base_url)).netloc
        foreign = origin is not None and origin.partition("://")[2] not in (own, request.host)
        if foreign or request.headers.get("Sec-Fetch-Site") in _FOREIGN:
            raise CSRFError("The form was sent from another site.")
