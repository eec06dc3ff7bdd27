"""The page behind "This wasn't me" in an email that tells what happened to an account."""

from dataclasses import dataclass

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.tokens import Purpose
from portal.domain.use_cases.report_not_me import get_not_me_link, has_second_step, report_not_me
from portal.web import emailed_links, session
from portal.web.forms import ConfirmForm
from portal.web.link_page import LinkPage, LinkState

_DONE = N_("Everyone is signed out of your account. Now choose a new password.")

pages = Blueprint("not_me", __name__)


@dataclass
class _NotMeState(LinkState):
    has_second_step: bool


class NotMePage(LinkPage[ConfirmForm, _NotMeState]):
    """Show the address of the account, and a button that signs everyone out and leads to setting a new password."""

    form_class = ConfirmForm
    template = "not_me.html"
    purpose = Purpose.NOT_ME
    request_endpoint = "password.request_reset"
    used_endpoint = "password.set_new_opened"

    def load(self, token: str) -> _NotMeState:
        link = get_not_me_link(current_context(), session.current_visitor(), token)
        return _NotMeState(token, link.email, link, has_second_step(current_context(), link))

    def submit(self, form: ConfirmForm, state: _NotMeState) -> ResponseReturnValue:
        customer = session.current_customer()
        reset = report_not_me(current_context(), session.current_visitor(), state.link)
        if customer is not None and customer.id == state.link.contact_id:
            session.sign_out()
        emailed_links.remember_opened_link(Purpose.RESET, reset)
        emailed_links.remember_used_link(state.link.public_id)
        session.set_notice(_DONE)
        return redirect(url_for("password.set_new_opened"))


pages.add_url_rule("/not-me/<token>", view_func=NotMePage.as_view("open"))
pages.add_url_rule("/not-me", view_func=NotMePage.as_view("opened"), methods=["GET"])
