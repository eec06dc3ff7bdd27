"""Refuse requests that another site made the browser send (CSRF) by their origin, before the token is checked."""

import re

from flask import Flask, current_app, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.datastructures import ImmutableMultiDict

from portal.app import settings_of
from portal.web.organisation import current_organisation

_OWN_SITES = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site of requests by the portal's own pages, and by the visitor in the browser itself."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ORIGIN = re.compile(r"(https?)://([^/?#@:\[\]\\\s]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def register(app: Flask) -> None:
    """Refuse POST requests from other origins on all pages of an app, and discard their data.

    A request without these headers was not sent by a browser; it still needs a form token (extensions.py).
    """

    @app.before_request
    def refuse_foreign_posts() -> None:
        if request.method not in _SAFE_METHODS and sent_from_elsewhere():
            # The form is shown again: filled in by another site, it would be sent with one click.
            request.query_string = b""
            request.args = request.form = ImmutableMultiDict()
            g.sent_from_elsewhere = True
            raise CSRFError("The form was sent from another site.")


def sent_from_elsewhere() -> bool:
    """Return whether a page of another site made the browser send the current request.

    Sec-Fetch-Site decides if present: browsers set it, and no page can. Otherwise Origin does. `Origin: null` alone is
    foreign, since sandboxed frames send it; the portal's own forms send it too if a proxy adds `Referrer-Policy:
    no-referrer`, but with `Sec-Fetch-Site: same-origin`.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN_SITES
    origin = request.headers.get("Origin")
    return origin is not None and _normalised(origin) not in _own_origins()


def _own_origins() -> set[str]:
    """Return the public origin of this site, and that of the Host header: a proxy may change either.

    A proxy may terminate TLS even if BASE_URL has no https.
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
