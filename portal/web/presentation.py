"""What every page is given: its language, the organisation, who is signed in, the addresses of static files."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request, session, url_for

from portal.customisation import environment_of
from portal.domain.messages import N_
from portal.domain.organisations import DEFAULT, Organisation
from portal.i18n import current_language, translate
from portal.security_headers import FOR_EVER
from portal.storage.backends import DatabaseUnavailable
from portal.web.assets import is_asset
from portal.web.organisation import current_organisation, stylesheet_url
from portal.web.session import take_sign_out_notice


def shown_organisation() -> Organisation:
    """The organisation as pages name it; the page that tells of a database that is away must do without it."""
    try:
        return current_organisation()
    except DatabaseUnavailable:
        return Organisation(id=0, slug=DEFAULT, name=translate(N_("Customer portal")))


def register(app: Flask) -> None:
    """Give an app's templates what they need."""
    static_files = Path(str(app.static_folder))
    # The addresses of static files. They change with the files, so that browsers may keep them for ever; they are the
    # same in every request, since BASE_URL has no path.
    addresses = {
        name: f"{app.static_url_path}/{name}?v={sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in static_files.rglob("*")
        if path.is_file() and (name := path.relative_to(static_files).as_posix())
    }

    environment_of(app).whose = lambda: shown_organisation().slug
    app.jinja_env.globals["asset"] = addresses.__getitem__

    def has_its_version() -> bool:
        # During an update another process may already link to a version that this one does not have.
        return f"{request.path}?v={request.args.get('v')}" in addresses.values()

    @app.after_request
    def who_may_keep_it(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code in (200, 206, 304) and has_its_version():
            response.headers["Cache-Control"] = FOR_EVER
        if is_asset():
            response.headers.remove("Set-Cookie")  # a shared cache would hand it to every visitor
        elif response.cache_control.public:
            response.headers["Cache-Control"] = "no-store"
        if not response.cache_control.public:
            response.vary.add("Cookie")
        return response

    @app.context_processor
    def page() -> dict[str, Any]:
        language = current_language()
        organisation = shown_organisation()
        return {
            "lang": language.tag,
            "text_direction": language.direction,
            "organisation": organisation,
            "organisation_stylesheet": stylesheet_url(organisation),
            "customer": g.get("customer"),
            **_taken_notice(),
        }


def _taken_notice() -> dict[str, Any]:
    """Take what `give_notice` (session.py) left for the next page.

    It stays where there is no page: browsers ask for icons by themselves. If the customer was signed out elsewhere,
    that is said in its place: what was left for a customer who was signed in is not true any more.
    """
    if request.endpoint is None:
        return {"notice": None}
    reason = take_sign_out_notice()
    notice, way = reason or session.get("notice"), None if reason else session.get("notice_way")
    for name in ("notice", "notice_way"):
        session.pop(name, None)
    return {
        "notice": notice and translate(notice),
        "notice_way": way and (url_for(way[0]), translate(way[1])),
    }
