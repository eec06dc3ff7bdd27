"""The organisation of a request, by its host, and its stylesheet and images."""

from functools import lru_cache
from hashlib import sha256
from typing import cast

from flask import Blueprint, Flask, Response, abort, current_app, g, request, url_for

from portal.app import context_of, current_context, settings_of
from portal.domain.organisation_by_host import OrganisationsByHost
from portal.domain.organisations import Image, Organisation, find_cover, find_logo
from portal.domain.values.colours import DARK, LIGHT, readable
from portal.security_headers import FOR_EVER
from portal.storage.backends import DatabaseUnavailable

pages = Blueprint("organisation", __name__)

_BY_HOST = "portal_directory"
_IMAGE_MAX_AGE = 300
"""Seconds; the URL of an image does not change with it."""
_IMAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; sandbox"
"""For SVG, which may contain scripts, and styles of its own."""


def register(app: Flask) -> None:
    """Give an app its organisations by host."""
    context = context_of(app)
    app.extensions[_BY_HOST] = OrganisationsByHost(context.database, context.clock, settings_of(app).hostname)


def current_organisation() -> Organisation:
    """Return the organisation of the request's host, else the default one; looked up once per request.

    Raises DatabaseUnavailable, again without another query, so that an error page does not wait for the database.
    """
    if "organisation" not in g:
        by_host = cast(OrganisationsByHost, current_app.extensions[_BY_HOST])
        try:
            g.organisation = by_host.serving(request.host.partition(":")[0].lower())
        except DatabaseUnavailable as error:
            g.organisation = error
    found: Organisation | DatabaseUnavailable = g.organisation
    if isinstance(found, DatabaseUnavailable):
        raise found
    return found


@pages.get("/organisation.css")
def stylesheet() -> Response:
    """Respond with a stylesheet of the accent colour for light and dark mode; 404 without one."""
    accent = current_organisation().accent
    if accent is None:
        abort(404)
    css, version = accent_stylesheet(accent)
    response = Response(css, mimetype="text/css")
    if request.args.get("v") == version:  # another version: the colour has changed since the page was rendered
        response.headers["Cache-Control"] = FOR_EVER
    return response


@pages.get("/organisation/logo")
def logo() -> Response:
    """Respond with the organisation's logo; 404 without one."""
    with current_context().database.read() as connection:
        return _image_response(find_logo(connection, current_organisation().id))


@pages.get("/organisation/cover")
def cover() -> Response:
    """Respond with the organisation's cover image; 404 without one."""
    with current_context().database.read() as connection:
        return _image_response(find_cover(connection, current_organisation().id))


def _image_response(image: Image | None) -> Response:
    if image is None:
        abort(404)
    response = Response(image.data, mimetype=image.media_type)
    response.headers["Content-Security-Policy"] = _IMAGE_POLICY
    response.headers["Cache-Control"] = f"public, max-age={_IMAGE_MAX_AGE}"
    response.add_etag()
    response.make_conditional(request)
    return response


def stylesheet_url(organisation: Organisation) -> str | None:
    """Return the URL of an organisation's stylesheet, with its version; None without an accent colour."""
    if organisation.accent is None:
        return None
    return url_for("organisation.stylesheet", v=accent_stylesheet(organisation.accent)[1])


@lru_cache(maxsize=1000)
def accent_stylesheet(accent: str) -> tuple[str, str]:
    """Return the CSS that sets the accent colour, with enough contrast in each scheme, and its version."""
    light, dark = (
        f":root {{ --accent: {readable(accent, scheme)}; --accent-ink: {scheme.ink}; }}" for scheme in (LIGHT, DARK)
    )
    css = f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"
    return css, sha256(css.encode()).hexdigest()[:12]
