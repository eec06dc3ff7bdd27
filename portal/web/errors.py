"""Error pages, which say what to do next. Details are only in the log, under the request id."""

import logging
from functools import cache

from flask import Flask, current_app, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from markupsafe import escape
from werkzeug.exceptions import BadHost, HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response

from portal.domain.contact_details import CustomerDeleted
from portal.domain.errors import TOO_MANY, Busy, Refused, minutes
from portal.domain.identities import SessionEnded
from portal.domain.messages import N_
from portal.domain.recent_authentication import NotRecentlyAuthenticated
from portal.domain.sign_ins import SignInEnded
from portal.extensions import form_rate, retry_after
from portal.i18n import Languages, translate
from portal.storage.backends import DatabaseUnavailable
from portal.web.embedding import new_tab_url, restore_visit
from portal.web.form_page import LINK_STATUS, FormPage, PageState, refusal_text, was_sent_by_our_page
from portal.web.link_errors import home_link, link_error
from portal.web.portal_form import PortalForm
from portal.web.redirects import this_page
from portal.web.saved_input import save_input
from portal.web.session import (
    NotSignedIn,
    PageLink,
    current_customer,
    drop_pending_sign_in,
    has_notice,
    redirect_to_reauthentication,
    redirect_to_sign_in,
    set_notice,
)

_log = logging.getLogger("portal.errors")

_MESSAGES = {
    400: (
        N_("That didn't work"),
        N_("We couldn't read what your browser sent. Nothing was changed. Go back, reload the page and try again."),
    ),
    403: (N_("Not allowed"), N_("You can't open this page. If you have another account, sign in with that one.")),
    404: (
        N_("Page not found"),
        N_("There's nothing at this address. Check it for a typo, or start again from here."),
    ),
    405: (
        N_("That didn't work"),
        N_("This page can't be opened like that. Please start again from here."),
    ),
    410: (N_("This page is gone"), N_("What used to be here has been removed. Please start again from here.")),
    413: (
        N_("That was too much"),
        N_("What you sent is larger than we can accept. Nothing was changed. Send less and try again."),
    ),
    422: (N_("There is a problem"), N_("We couldn't use what you sent. Go back, check it and try again.")),
    429: (N_("Please wait a while"), N_("Too many attempts. Please try again later.")),
    500: (
        N_("Something went wrong"),
        N_(
            "It's our fault, not yours. Try again in a moment. If it happens again, tell the shop or service the"
            " reference below."
        ),
    ),
    431: (
        N_("That was too much"),
        N_(
            "Your browser sent more than we can read. Delete the cookies that it keeps for this site, then open the"
            " page again."
        ),
    ),
    503: (N_("Back in a moment"), N_("We're very busy right now. Please try again in a few seconds.")),
}
_TEMPORARY = frozenset({429, 500, 503})
"""Statuses whose page offers to open the same page again."""
_RETRY_SECONDS = 2


def register(app: Flask) -> None:
    """Add the error pages to an app."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RateLimitExceeded, _too_many_requests)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(NotSignedIn, lambda _error: _sign_in_first())
    app.register_error_handler(SessionEnded, lambda _error: _sign_in_first())
    app.register_error_handler(CustomerDeleted, lambda _error: redirect_to_sign_in())
    app.register_error_handler(NotRecentlyAuthenticated, lambda _error: redirect_to_reauthentication())
    app.register_error_handler(SignInEnded, lambda _error: _sign_in_again())
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(Busy, lambda busy: _unavailable(busy.retry_after))
    app.register_error_handler(DatabaseUnavailable, _database_unavailable)
    app.register_error_handler(MemoryError, _out_of_memory)
    app.register_error_handler(Exception, _unexpected)


def plain_page(status: int) -> str:
    """Return an error page without layout, in every language, for a request that no view and no template can answer."""
    message = _MESSAGES.get(status, _MESSAGES[400])[1]
    texts = ((language.tag, escape(language.translations.ugettext(message))) for language in _languages())
    paragraphs = "".join(f'<p lang="{tag}">{text}</p>' for tag, text in texts)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{status}</title>{paragraphs}</html>\n'


@cache
def _languages() -> Languages:
    return Languages()


def _sign_in_first() -> Response:
    # The page was open while another tab signed out, or the form was sent twice: then the first may have been done.
    if request.method == "POST" and was_sent_by_our_page() and not has_notice():
        set_notice(N_("Once you're signed in, please check whether your last step was saved."), is_done=False)
    return redirect_to_sign_in()


def _sign_in_again() -> Response:
    drop_pending_sign_in()
    set_notice(N_("That took too long, or was done in another tab. Please sign in again."), is_done=False)
    return redirect(url_for("login.login"))


def _page(
    status: int,
    *,
    title: str | None = None,
    message: str | None = None,
    links: list[PageLink] | None = None,
    icon: str | None = None,
) -> Response:
    default_title, default_message = _MESSAGES.get(status, _MESSAGES[400])
    try:
        current_customer()
    except DatabaseUnavailable:  # the page needs no customer, and must not wait for the database again
        g.customer = None
    return make_response(
        render_template(
            "errors/error.html",
            status=status,
            title=translate(title or default_title),
            message=message or translate(default_message),
            links=[(url_for(endpoint), translate(label)) for endpoint, label in links or [home_link()]],
            icon_name=icon,
            retry_url=this_page() if status in _TEMPORARY else None,
            request_id=g.request_id if status >= 500 else None,
        ),
        status,
    )


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error  # a redirect of the router
    if isinstance(error, MethodNotAllowed) and request.method in ("GET", "HEAD"):
        # A URL that only forms and scripts send to, opened by hand.
        return redirect(url_for("login.home"))
    if isinstance(error, BadHost):  # a page needs URLs, which need a valid host
        return Response(translate(_MESSAGES[400][1]) + "\n", 400, mimetype="text/plain")
    page = _page(error.code)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            page.headers[name] = value
    return page


def _too_many_requests(error: RateLimitExceeded) -> Response:
    if error.response is not None:  # for a script
        return make_response(error.response)
    save_input(request.path, request.form)
    seconds = retry_after()
    page = _page(429, message=translate(TOO_MANY, num=minutes(seconds)))
    page.headers["Retry-After"] = str(seconds)
    return page


def _stale_form(_error: CSRFError) -> ResponseReturnValue:
    try:
        return _show_stale_form()
    except RateLimitExceeded as error:
        return _too_many_requests(error)
    except HTTPException as error:
        return _http_error(error)


@form_rate
def _show_stale_form() -> ResponseReturnValue:
    """Show a form again whose token is invalid; counted like a form that was sent, because it costs as much."""
    if url := new_tab_url():
        restore_visit()  # this page has the language and the colours of the site, too
        return render_template("errors/new_tab.html", address=url), 400
    view = getattr(current_app.view_functions.get(request.endpoint or ""), "view_class", None)
    if view is None or not issubclass(view, FormPage):
        return _page(400)
    page: FormPage[PortalForm, PageState] = view()
    try:
        return page.show_stale(**(request.view_args or {}))
    except Refused as refusal:
        return _refused(refusal)
    except NotSignedIn:
        return _sign_in_first()
    except CustomerDeleted:
        return redirect_to_sign_in()
    except NotRecentlyAuthenticated:
        return redirect_to_reauthentication()
    except SignInEnded:
        return _sign_in_again()


def _refused(refusal: Refused) -> Response:
    """Show a refusal without a form, such as that of a used link."""
    if refusal.retry_after is not None:
        page = _page(429, message=refusal_text(refusal))
        page.headers["Retry-After"] = str(refusal.retry_after)
        return page
    error = link_error(refusal)
    status = LINK_STATUS.get(refusal.failure, 422)
    return _page(status, title=error.title, message=error.message, links=error.links, icon=error.icon)


def _unavailable(retry_after: int) -> Response:
    page = _page(503)
    page.headers["Retry-After"] = str(retry_after)
    return page


def _database_unavailable(error: DatabaseUnavailable) -> Response:
    _log.error("database: %s request=%s", error, g.request_id)
    return _unavailable(_RETRY_SECONDS)


def _out_of_memory(_error: MemoryError) -> Response:
    _log.error("memory: exhausted request=%s", g.request_id)
    return _unavailable(_RETRY_SECONDS)


def _unexpected(error: Exception) -> Response:
    _log.exception("unexpected %s request=%s", type(error).__name__, g.request_id)
    return _page(500)
