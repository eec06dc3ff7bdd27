"""Where a customer is signed in, and the buttons that sign them out there."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.use_cases.end_session import UnknownSession, end_other_sessions, end_session
from portal.domain.use_cases.list_sessions import list_sessions
from portal.web import session
from portal.web.form_page import FormPage
from portal.web.forms import ConfirmForm

pages = Blueprint("account_sessions", __name__, url_prefix="/account/sessions")
LARGEST_ID = 2**31 - 1
"""Of a row, on every database."""


def _list() -> dict[str, Any]:
    return {"sessions": list_sessions(current_context(), session.signed_in_customer())}


@pages.get("")
def index() -> str:
    """The list."""
    return render_template("account/sessions.html", **_list())


class EndSessionPage(FormPage):
    """Sign out one other browser; the page itself is only seen when the form that was sent had become stale."""

    form_class = ConfirmForm
    template = "account/sessions.html"

    def get(self, **_arguments: Any) -> ResponseReturnValue:
        """Lead to the list, where the button is."""
        return redirect(url_for("account_sessions.index"))

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """The list, and which of them is meant."""
        return {**_list(), **arguments}

    def submitted(self, form: ConfirmForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """End it: that browser is out at its next request."""
        try:
            end_session(current_context(), session.current_visitor(), session.signed_in_customer(), shown["session_id"])
        except UnknownSession:
            abort(404)
        session.set_notice(N_("The session has ended."))
        return redirect(url_for("account_sessions.index"))


class EndOthersPage(EndSessionPage):
    """Sign out every other browser."""

    def submitted(self, form: ConfirmForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """End all of them."""
        end_other_sessions(current_context(), session.current_visitor(), session.signed_in_customer())
        session.set_notice(N_("You've been signed out everywhere else."))
        return redirect(url_for("account_sessions.index"))


pages.add_url_rule(f"/<int(max={LARGEST_ID}):session_id>/end", view_func=EndSessionPage.as_view("end"))
pages.add_url_rule("/end-others", view_func=EndOthersPage.as_view("end_others"))
