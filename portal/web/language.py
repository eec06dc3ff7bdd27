"""The language of a page, and the language switch in its footer.

The choice of a visitor who is not signed in is in a cookie of its own, because the session is cleared at every sign-in
and sign-out. The cookie is not signed: it is no secret, and is ignored unless it is the tag of an available language.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from portal.app import current_context, settings_of
from portal.domain.use_cases.choose_language import choose_language
from portal.i18n import Language, languages_of
from portal.storage.backends import DatabaseUnavailable
from portal.web import session
from portal.web.assets import is_asset
from portal.web.cookies import is_framed
from portal.web.form_page import FormPage, PageState
from portal.web.forms import LanguageForm
from portal.web.organisation import current_organisation
from portal.web.redirects import own_path, redirect_to, this_page
from portal.web.saved_input import save_input

pages = Blueprint("language", __name__)

_LIFETIME = timedelta(days=365)


def register(app: Flask) -> None:
    """Choose the language of each page of an app, set it in the headers, and give templates the others."""
    languages = languages_of(app)
    languages.choose = _choose

    @app.after_request
    def set_language_headers(response: Response) -> Response:
        if "language" in g:
            response.vary.add("Accept-Language")
            response.headers["Content-Language"] = g.language.tag
        return response

    @app.context_processor
    def switch() -> dict[str, object]:
        # An asset has no session, which the CSRF token of the switch needs.
        return {"languages": () if is_asset() else languages, "here": this_page()}


def _choose() -> Language:
    """Return the language of the customer, else of the switch, the visit, the browser or the organisation.

    A frame has no switch, so the language of the visit comes before one chosen elsewhere.
    """
    languages = languages_of(current_app)
    of_visit = languages.nearest(session.visit_locale())
    return (
        languages.nearest(_customer_locale())
        or (of_visit if is_framed() else None)
        or languages.find(request.cookies.get(_cookie_name()))
        or of_visit
        or languages.nearest(*_accepted(request.headers.get("Accept-Language", "")))
        or languages.nearest(_organisation_locale())
        or languages.source
    )


@lru_cache(maxsize=100)
def _accepted(header: str) -> tuple[str, ...]:
    """Return the tags of the header, the preferred one first (RFC 9110 12.5.4)."""
    # Werkzeug's best_match() prefers an exact match to a better one: for `cs-CZ, en;q=0.5` it finds English.
    return tuple(tag for tag, quality in parse_accept_header(header, LanguageAccept) if quality > 0)


def _customer_locale() -> str | None:
    try:
        customer = session.current_customer()
    except DatabaseUnavailable:  # the error page needs a language, too
        return None
    return customer.locale if customer else None


def _organisation_locale() -> str | None:
    try:
        return current_organisation().locale
    except DatabaseUnavailable:
        return None


def _cookie_name() -> str:
    return "__Host-language" if settings_of(current_app).is_https else "language"


@dataclass
class _LanguageState(PageState):
    here: str | None
    """The page with the switch; the switch of this page returns to it, too."""


class LanguagePage(FormPage[LanguageForm, _LanguageState]):
    """Choose a language; the page itself is shown only after an error."""

    form_class = LanguageForm
    template = "language.html"

    def get(self) -> ResponseReturnValue:
        """Redirect to the page with the switch, without a change."""
        return redirect_to(request.args.get("next"), url_for("login.home"))

    def load(self) -> _LanguageState:
        return _LanguageState(_page_of_switch())

    def submit(self, form: LanguageForm, state: _LanguageState) -> ResponseReturnValue:
        """Store the language in this browser and for the signed-in customer, and redirect to the page as it was."""
        language = form.locale.language
        customer = session.current_customer()
        if customer:
            choose_language(current_context(), customer, language.tag)
        if state.here is not None:
            save_input(urlsplit(state.here).path, request.form)
        response = redirect_to(state.here, url_for("login.home"))
        response.set_cookie(
            _cookie_name(),
            language.tag,
            max_age=_LIFETIME,
            secure=settings_of(current_app).is_https,
            httponly=True,
            samesite="Lax",
        )
        return response


def _page_of_switch() -> str | None:
    """Return the page with the switch: in the query if the switch also sends that page's form, which may have its own
    field `next`.
    """
    return own_path(request.args.get("here") or request.form.get("next"))


pages.add_url_rule("/language", view_func=LanguagePage.as_view("choose"))
