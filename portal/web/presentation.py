"""The variables of every template: language, organisation, customer, notice and the URLs of static files."""

from functools import cache
from hashlib import sha256
from pathlib import Path

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
    """Return the organisation, or a default one for the error page if the database is not available."""
    try:
        return current_organisation()
    except DatabaseUnavailable:
        return Organisation(id=0, slug=DEFAULT, name=translate(N_("Customer portal")))


def register(app: Flask) -> None:
    """Add the variables of every template, and the cache headers of responses."""
    static_files = Path(str(app.static_folder))
    # A URL changes with its file, so that browsers may cache it for ever. It is the same for all requests, since
    # BASE_URL has no path.
    urls = {
        name: f"{app.static_url_path}/{name}?v={sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in static_files.rglob("*")
        if path.is_file() and (name := path.relative_to(static_files).as_posix())
    }

    environment_of(app).organisation_slug = lambda: shown_organisation().slug
    app.jinja_env.globals["asset"] = urls.__getitem__
    path_of = cache(lambda endpoint: url_for(endpoint))  # the same for all requests, for the same reason
    app.jinja_env.globals["url_for"] = lambda endpoint, **values: (
        # An endpoint that begins with a dot is one of the blueprint of the page.
        url_for(endpoint, **values) if values or endpoint.startswith(".") else path_of(endpoint)
    )

    def has_current_version() -> bool:
        # During an update, another process may already link to a version that this one does not have.
        return f"{request.path}?v={request.args.get('v')}" in urls.values()

    @app.after_request
    def set_cache_headers(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code in (200, 206, 304) and has_current_version():
            response.headers["Cache-Control"] = FOR_EVER
        is_public = response.cache_control.public
        if is_asset():
            response.headers.remove("Set-Cookie")  # a shared cache would send it to every visitor
        elif is_public:
            response.headers["Cache-Control"], is_public = "no-store", False
        if not is_public:
            response.vary.add("Cookie")
        return response

    @app.context_processor
    def page() -> dict[str, object]:
        language = current_language()
        organisation = shown_organisation()
        return {
            "lang": language.tag,
            "text_direction": language.direction,
            "organisation": organisation,
            "organisation_stylesheet": stylesheet_url(organisation),
            "customer": g.get("customer"),
            **_take_notice(),
        }


def _take_notice() -> dict[str, object]:
    """Return the notice of `set_notice` (session.py) and delete it.

    It stays for requests without a page, such as a browser's own for an icon. If the session was ended elsewhere, the
    reason is shown first, and nothing as done: that is no longer true of a customer who is signed out.
    """
    if request.endpoint is None:
        return {"notice": None}
    reason = take_sign_out_notice()
    notice, kind = session.pop("notice", None), session.pop("notice_kind", "done")
    link, values = session.pop("notice_way", None), session.pop("notice_values", {})
    if reason and kind == "done":
        notice, link = None, None
    texts = [translate(reason)] if reason else []
    if notice:
        texts.append(translate(notice, **values))
    return {
        "notice": " ".join(texts),
        "notice_kind": "reason" if reason else kind,
        "notice_link": link and (url_for(link[0]), translate(link[1])),
    }
