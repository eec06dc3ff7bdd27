"""Stylesheets for a fixed colour scheme, which a site around a frame can choose."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, request, url_for

from portal.security_headers import FOR_EVER
from portal.web.organisation import accent_stylesheet, current_organisation
from portal.web.presentation import shown_organisation

pages = Blueprint("theme", __name__)

THEMES = {"light": "not all", "dark": "all"}
"""The media query that replaces `prefers-color-scheme: dark` in each theme."""


def register(app: Flask) -> None:
    """Give the templates of an app the URLs of the themes' stylesheets."""
    app.jinja_env.globals["themed_stylesheet"] = _url


@pages.get("/themed/<any(light, dark):theme>.css")
def stylesheet(theme: str) -> Response:
    """Respond with the portal's and the organisation's stylesheet, in a fixed colour scheme."""
    css, version = _themed_css(str(current_app.static_folder), theme, current_organisation().accent)
    response = Response(css, mimetype="text/css")
    if request.args.get("v") == version:
        response.headers["Cache-Control"] = FOR_EVER
    return response


def _url(theme: str) -> str:
    """Return the URL of a theme's stylesheet, with its version."""
    version = _themed_css(str(current_app.static_folder), theme, shown_organisation().accent)[1]
    return url_for("theme.stylesheet", theme=theme, v=version)


@lru_cache(maxsize=1000)
def _themed_css(static_folder: str, theme: str, accent: str | None) -> tuple[str, str]:
    css = (Path(static_folder) / "portal.css").read_text("utf-8")
    if accent is not None:
        css += accent_stylesheet(accent)[0]
    css = css.replace("@media (prefers-color-scheme: dark)", f"@media {THEMES[theme]}")
    css = css.replace("color-scheme: light dark", f"color-scheme: {theme}")
    return css, sha256(css.encode()).hexdigest()[:12]
