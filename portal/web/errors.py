"""Every way a request can fail, as a page that says what to do next. Details stay in the log, under its id."""

import logging
from contextlib import suppress

from flask import Flask, current_app, g, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import BadHost, HTTPException
from werkzeug.wrappers import Response

from portal.domain.errors import N_, Busy, Failure, Refused
from portal.languages import translate
from portal.web.form_page import LINK_STATUS, FormPage, words_of
from portal.web.session import NotSignedIn, current_customer, to_sign_in

_log = logging.getLogger("portal.errors")

_WORDS = {
    400: (
        N_("That did not work"),
        N_("We could not read what your browser sent. Go back, reload the page and try again."),
    ),
    403: (N_("Not allowed"), N_("You may not open this page.")),
    404: (N_("Page not found"), N_("There is nothing at this address. Check it, or start from the beginning.")),
    405: (N_("That did not work"), N_("This page cannot be used in this way. Start from the beginning.")),
    410: (N_("This link has ended"), N_("This link cannot be used any more.")),
    413: (N_("That was too much"), N_("What you sent is too large. Send less and try again.")),
    422: (N_("There is a problem"), N_("We could not use what you sent. Go back, check it and try again.")),
    429: (N_("Please wait a while"), N_("Too many tries came from here. Wait a while and try again.")),
    500: (
        N_("Something went wrong"),
        N_("The fault is ours. Try again in a moment; if it stays, tell us the reference below."),
    ),
    503: (N_("Back in a moment"), N_("Too much is going on right now. Wait a few seconds and try again.")),
}
_RETRY_SECONDS = 2


def register(app: Flask) -> None:
    """Make pages of all failures of an app."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(NotSignedIn, lambda _error: to_sign_in())
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(Busy, lambda busy: _unavailable(busy.retry_after))
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(PoolTimeout, _database_away)
    app.register_error_handler(Exception, _unexpected)


def _page(status: int, message: str | None = None, action: tuple[str, str] | None = None) -> Response:
    title, words = _WORDS.get(status, _WORDS[400])
    with suppress(SQLAlchemyError):  # the page stands without, too
        current_customer()
    return make_response(
        render_template(
            "errors/error.html",
            status=status,
            title=translate(title),
            message=message or translate(words),
            action=action or (url_for("login.home"), translate(N_("Go to the start"))),
            request_id=g.request_id if status >= 500 else None,
        ),
        status,
    )


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error  # a redirect of the router
    if isinstance(error, BadHost):  # no address can be built for a page then
        return Response(translate(_WORDS[400][1]) + "\n", 400, mimetype="text/plain")
    page = _page(error.code)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            page.headers[name] = value
    return page


def _stale_form(_error: CSRFError) -> ResponseReturnValue:
    view = getattr(current_app.view_functions.get(request.endpoint or ""), "view_class", None)
    if view is None or not issubclass(view, FormPage):
        return _page(400)
    page: FormPage = view()
    try:
        return page.show_stale(**(request.view_args or {}))
    except Refused as refusal:
        return _refused(refusal)
    except NotSignedIn:
        return to_sign_in()


def _refused(refusal: Refused) -> Response:
    """A refusal that leaves no form to show: a link that is of no use."""
    if refusal.retry_after is not None:
        page = _page(429, words_of(refusal))
        page.headers["Retry-After"] = str(refusal.retry_after)
        return page
    return _page(LINK_STATUS.get(refusal.failure, 422), words_of(refusal), _way_on(refusal.failure))


def _way_on(failure: Failure) -> tuple[str, str] | None:
    if request.blueprint == "password":
        return url_for("password.request_reset"), translate(N_("Ask for a new link"))
    if request.blueprint == "mail_sign_in":
        return url_for("mail_sign_in.request"), translate(N_("Ask for a new link"))
    if request.blueprint == "register" and failure is Failure.LINK_ENDED:  # most often: confirmed already
        return url_for("login.login"), translate(N_("Sign in"))
    if request.blueprint == "register":
        return url_for("register.register"), translate(N_("Create an account"))
    return None


def _unavailable(retry_after: int) -> Response:
    page = _page(503)
    page.headers["Retry-After"] = str(retry_after)
    return page


def _database_away(error: Exception) -> Response:
    _log.error("database: %s request=%s", type(error).__name__, g.request_id)
    return _unavailable(_RETRY_SECONDS)


def _unexpected(error: Exception) -> Response:
    _log.exception("unexpected %s request=%s", type(error).__name__, g.request_id)
    return _page(500)
