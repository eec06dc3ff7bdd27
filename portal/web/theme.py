"""Light or dark as the site around a frame wants it, whatever the visitor's system prefers."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, request, url_for

from portal.security_headers import FOR_EVER
from portal.web.organisation import accent_stylesheet, current_organisation
from portal.web.presentation import shown_organisation

pages = Blueprint("theme", __name__)

THEMES = {"light": "not all", "dark": "all"}
"""When what is meant for the dark holds, in each of them."""


def register(app: Flask) -> None:
    """Let the templates of an app know where a theme's stylesheet is."""
    app.jinja_env.globals["themed_stylesheet"] = _url


@pages.get("/themed/<any(light, dark):theme>.css")
def stylesheet(theme: str) -> Response:
    """All that pages load in its place else, with every question for the visitor's preference answered."""
    css, version = _themed(str(current_app.static_folder), theme, current_organisation().accent)
    response = Response(css, mimetype="text/css")
    if request.args.get("v") == version:
        response.headers["Cache-Control"] = FOR_EVER
    return response


def _url(theme: str) -> str:
    """The address of a theme's stylesheet, which changes with what is in it."""
    version = _themed(str(current_app.static_folder), theme, shown_organisation().accent)[1]
    return url_for("theme.stylesheet", theme=theme, v=version)


@lru_cache(maxsize=1000)
def _themed(static_folder: str, theme: str, accent: str | None) -> tuple[str, str]:
    css = (Path(static_folder) / "portal.css").read_text("utf-8")
    if accent is not None:
        css += accent_stylesheet(accent)[0]
    css = css.replace("@media (prefers-color-scheme: dark)", f"@media {THEMES[theme]}")
    css = css.replace("color-scheme: light dark", f"color-scheme: {theme}")
    return css, sha256(css.encode()).hexdigest()[:12]
