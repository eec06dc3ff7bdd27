"""Requests that another site makes a browser send: refused by where they come from, before the token is looked at."""

import re

from flask import Flask, current_app, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.datastructures import ImmutableMultiDict

from portal.app import settings_of
from portal.web.organisation import current_organisation

_OURS = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site of what our own pages send, and of what the visitor does in the browser itself."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_ORIGIN = re.compile(r"(https?)://([^/?#@:\[\]\\\s]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def register(app: Flask) -> None:
    """Refuse posts from other origins on every page of an app, and drop what they sent.

    A request that no browser sent comes from nobody who could be tricked, and still needs its form token
    (extensions.py).
    """

    @app.before_request
    def refuse_foreign_posts() -> None:
        if request.method not in _READING and sent_from_elsewhere():
            # The page shows the form again: with the values of another site in it, one click would send them.
            request.query_string = b""
            request.args = request.form = ImmutableMultiDict()
            g.sent_from_elsewhere = True
            raise CSRFError("The form was sent from another site.")


def sent_from_elsewhere() -> bool:
    """Return whether a page of another site made the browser send the current request.

    Sec-Fetch-Site decides where it is present: browsers set it, and no page can. Otherwise Origin does. `Origin: null`
    alone is foreign, since sandboxed frames send it; our own forms do, too, where a proxy adds `Referrer-Policy:
    no-referrer`, but with `Sec-Fetch-Site: same-origin`.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OURS
    origin = request.headers.get("Origin")
    return origin is not None and _normalised(origin) not in _own_origins()


def _own_origins() -> set[str]:
    """Return the public origin of this site, and that of the host that was asked for: a proxy may change either.

    Without https in BASE_URL, there may still be a proxy that encrypts.
    """
    settings = settings_of(current_app)
    schemes = ("https",) if settings.is_https else ("https", "http")
    public = current_organisation().url(settings.base_url)
    found = map(_normalised, (public, *(f"{scheme}://{request.host}" for scheme in schemes)))
    return {origin for origin in found if origin is not None}


def _normalised(origin: str) -> str | None:
    """Return an origin as browsers write it, without its scheme's default port; None if it is none."""
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        return None
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{host}:{port}"
