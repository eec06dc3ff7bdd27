"""Which language a page speaks, and the switch in its footer.

The choice of somebody who is not known yet lives in a cookie of its own: it must outlast the session, which is emptied
at every sign-in and sign-out, and it is no secret, so that nothing signs it; what it holds counts only if it is the tag
of a language that there is.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, request, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context, settings_of
from portal.domain.use_cases.choose_language import choose_language
from portal.i18n import Language, languages_of
from portal.storage.backends import DatabaseUnavailable
from portal.web import session
from portal.web.assets import is_asset
from portal.web.cookies import is_framed
from portal.web.form_page import FormPage
from portal.web.forms import LanguageForm
from portal.web.organisation import current_organisation
from portal.web.redirects import own_path, redirect_to, this_page

pages = Blueprint("language", __name__)

_LIFETIME = timedelta(days=365)


def register(app: Flask) -> None:
    """Choose the language of each page of an app, say in its headers which it is, and offer the others."""
    languages = languages_of(app)
    languages.choose = _choose

    @app.after_request
    def tell(response: Response) -> Response:
        if "language" in g:
            response.vary.add("Accept-Language")
            response.headers["Content-Language"] = g.language.tag
        return response

    @app.context_processor
    def switch() -> dict[str, Any]:
        # An asset has no cookie to keep the token of the switch in.
        return {"languages": () if is_asset() else languages, "here": this_page()}


def _choose() -> Language:
    """What the customer has settled on, else the switch, the site they came from, the browser, the organisation.

    In a frame there is no switch, and the site around it comes before one that was pressed elsewhere.
    """
    languages = languages_of(current_app)
    site = languages.nearest(session.visited_in())
    return (
        languages.nearest(_customers_own())
        or (site if is_framed() else None)
        or languages.find(request.cookies.get(_cookie_name()))
        or site
        or languages.find(request.accept_languages.best_match(languages.tags))
        or languages.nearest(_organisations_own())
        or languages.source
    )


def _customers_own() -> str | None:
    try:
        customer = session.current_customer()
    except DatabaseUnavailable:  # the page that tells of it has a language, too
        return None
    return customer.locale if customer else None


def _organisations_own() -> str | None:
    try:
        return current_organisation().locale
    except DatabaseUnavailable:
        return None


def _cookie_name() -> str:
    return "__Host-language" if settings_of(current_app).is_https else "language"


class LanguagePage(FormPage):
    """Choose a language; the page itself is only seen when something was wrong with what was sent."""

    form_class = LanguageForm
    template = "language.html"

    def get(self, **_arguments: Any) -> ResponseReturnValue:
        """Lead on to where the switch would have led, in the language of before."""
        return redirect_to(request.args.get("next"), url_for("login.home"))

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """The switch of this page too leads back to the page where it all began."""
        return {"here": _where_pressed()}

    def submitted(self, form: LanguageForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Keep it in this browser, and with the customer who is signed in; then back to the same page as it was."""
        language = form.locale.language
        customer = session.current_customer()
        if customer:
            choose_language(current_context(), customer, language.tag)
        here = _where_pressed()
        if here is not None:
            session.keep_typed(urlsplit(here).path, request.form)
        response = redirect_to(here, url_for("login.home"))
        response.set_cookie(
            _cookie_name(),
            language.tag,
            max_age=_LIFETIME,
            secure=settings_of(current_app).is_https,
            httponly=True,
            samesite="Lax",
        )
        return response


def _where_pressed() -> str | None:
    """The page that the switch stands on: said in the query where it sends what is typed there along, with its own
    field `next`.
    """
    return own_path(request.args.get("here") or request.form.get("next"))


pages.add_url_rule("/language", view_func=LanguagePage.as_view("choose"))
