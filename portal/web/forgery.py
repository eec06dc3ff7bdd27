"""Requests that another site makes a browser send: refused by where they come from, before the token is looked at."""

from urllib.parse import urlsplit

from flask import Flask, request
from flask_wtf.csrf import CSRFError

from portal.assembly import settings_of

_FOREIGN = frozenset({"cross-site", "same-site"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def register(app: Flask) -> None:
    """Refuse posts from other origins on every page of an app.

    Sec-Fetch-Site and Origin are set by the browser and cannot be set by a page; a request without them comes from no
    browser that could be tricked, and still needs its form token (extensions.py).
    """
    own = urlsplit(settings_of(app).base_url).netloc

    @app.before_request
    def refuse_foreign_posts() -> None:
        if request.method in _READING:
            return
        origin = request.headers.get("Origin")
        foreign = origin is not None and origin.partition("://")[2] not in (own, request.host)
        if foreign or request.headers.get("Sec-Fetch-Site") in _FOREIGN:
            raise CSRFError("The form was sent from another site.")
