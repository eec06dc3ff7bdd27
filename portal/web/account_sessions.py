"""The sessions of a customer, and the buttons that end them."""

from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.use_cases.end_session import UnknownSession, end_other_sessions, end_session
from portal.domain.use_cases.list_sessions import Sessions, list_sessions
from portal.web import session
from portal.web.form_page import FormPage, PageState, StateT
from portal.web.forms import ConfirmForm

pages = Blueprint("account_sessions", __name__, url_prefix="/account/sessions")
LARGEST_ID = 2**31 - 1
"""Of a row, on every database."""


def _list() -> Sessions:
    return list_sessions(current_context(), session.signed_in_customer())


@pages.get("")
def index() -> str:
    """List the sessions."""
    return render_template("account/sessions.html", sessions=_list())


class _ListPage(FormPage[ConfirmForm, StateT]):
    """A button of the list."""

    form_class = ConfirmForm
    template = "account/sessions.html"
    shown_on = "account_sessions.index"


@dataclass
class _ListState(PageState):
    sessions: Sessions


class EndOthersPage(_ListPage[_ListState]):
    """End all other sessions."""

    def load(self) -> _ListState:
        return _ListState(_list())

    def submit(self, form: ConfirmForm, state: _ListState) -> ResponseReturnValue:
        end_other_sessions(current_context(), session.current_visitor(), session.signed_in_customer())
        session.set_notice(N_("You've been signed out everywhere else."))
        return redirect(url_for("account_sessions.index"))


@dataclass
class _EndSessionState(_ListState):
    session_id: int


class EndSessionPage(_ListPage[_EndSessionState]):
    """End one session; its browser is signed out at its next request."""

    def load(self, session_id: int) -> _EndSessionState:
        return _EndSessionState(_list(), session_id)

    def submit(self, form: ConfirmForm, state: _EndSessionState) -> ResponseReturnValue:
        try:
            end_session(current_context(), session.current_visitor(), session.signed_in_customer(), state.session_id)
        except UnknownSession:
            abort(404)
        session.set_notice(N_("The session has ended."))
        return redirect(url_for("account_sessions.index"))


pages.add_url_rule(f"/<int(max={LARGEST_ID}):session_id>/end", view_func=EndSessionPage.as_view("end"))
pages.add_url_rule("/end-others", view_func=EndOthersPage.as_view("end_others"))
