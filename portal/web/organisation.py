"""Whose pages are asked for: told by the host, which shows pages and opens nothing. And their looks."""

from functools import lru_cache
from hashlib import sha256
from typing import cast

from flask import Blueprint, Flask, Response, abort, current_app, g, request, url_for

from portal.app import context_of, current_context, settings_of
from portal.domain.organisation_by_host import OrganisationsByHost
from portal.domain.organisations import Organisation, find_cover, find_logo
from portal.domain.values.colours import DARK, LIGHT, readable
from portal.security_headers import FOR_EVER
from portal.storage.backends import DatabaseUnavailable

pages = Blueprint("organisation", __name__)

_DIRECTORY = "portal_directory"
_PICTURE_KEPT = 300
"""Seconds: its address stays the same when it changes."""
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; sandbox"
"""An SVG may hold script, and styles of its own."""


def register(app: Flask) -> None:
    """Let an app know its organisations."""
    context = context_of(app)
    app.extensions[_DIRECTORY] = OrganisationsByHost(context.database, context.clock, settings_of(app).hostname)


def current_organisation() -> Organisation:
    """The organisation whose host the request names, else the default one; the same during all of a request.

    Raises DatabaseUnavailable, likewise: a page does not wait for the database again and again.
    """
    if "organisation" not in g:
        directory = cast(OrganisationsByHost, current_app.extensions[_DIRECTORY])
        try:
            g.organisation = directory.serving(request.host.partition(":")[0].lower())
        except DatabaseUnavailable as error:
            g.organisation = error
    found: Organisation | DatabaseUnavailable = g.organisation
    if isinstance(found, DatabaseUnavailable):
        raise found
    return found


@pages.get("/organisation.css")
def stylesheet() -> Response:
    """The organisation's accent colour, readable in the light and in the dark; 404 without one."""
    accent = current_organisation().accent
    if accent is None:
        abort(404)
    css, version = accent_stylesheet(accent)
    response = Response(css, mimetype="text/css")
    if request.args.get("v") == version:  # else a page was made before the colour changed, or after
        response.headers["Cache-Control"] = FOR_EVER
    return response


@pages.get("/organisation/logo")
def logo() -> Response:
    """The organisation's logo; 404 without one. Nothing in it runs or is loaded, should it be opened by itself."""
    with current_context().database.read() as connection:
        return _picture(find_logo(connection, current_organisation().id))


@pages.get("/organisation/cover")
def cover() -> Response:
    """Answer with the organisation's cover; 404 without one."""
    with current_context().database.read() as connection:
        return _picture(find_cover(connection, current_organisation().id))


def _picture(found: tuple[bytes, str] | None) -> Response:
    if found is None:
        abort(404)
    picture, media_type = found
    response = Response(picture, mimetype=media_type)
    response.headers["Content-Security-Policy"] = _PICTURE_POLICY
    response.headers["Cache-Control"] = f"public, max-age={_PICTURE_KEPT}"
    response.add_etag()
    response.make_conditional(request)
    return response


def stylesheet_url(organisation: Organisation) -> str | None:
    """The address of an organisation's stylesheet, which changes with what is in it; None when it has none."""
    if organisation.accent is None:
        return None
    return url_for("organisation.stylesheet", v=accent_stylesheet(organisation.accent)[1])


@lru_cache(maxsize=1000)
def accent_stylesheet(accent: str) -> tuple[str, str]:
    """What sets the accent, readable in each scheme; and its version."""
    light, dark = (
        f":root {{ --accent: {readable(accent, scheme)}; --accent-ink: {scheme.ink}; }}" for scheme in (LIGHT, DARK)
    )
    css = f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"
    return css, sha256(css.encode()).hexdigest()[:12]
