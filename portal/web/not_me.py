"""The page behind "This wasn't me" in an email that tells what happened to an account."""

from typing import Any

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.tokens import Purpose
from portal.domain.use_cases.report_not_me import get_not_me_link, report_not_me
from portal.web import session
from portal.web.forms import ConfirmForm
from portal.web.link_page import LinkPage

_DONE = N_("Everyone is signed out of your account. Now choose a new password.")

pages = Blueprint("not_me", __name__)


class NotMePage(LinkPage):
    """Whose account it is, and a button that shuts everybody out."""

    form_class = ConfirmForm
    template = "not_me.html"
    purpose = Purpose.NOT_ME
    beginning = "password.request_reset"
    onward_endpoint = "password.set_new_opened"

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """Whose account it is."""
        link = get_not_me_link(current_context(), session.current_visitor(), arguments["token"])
        return {"token": arguments["token"], "email": link.email, "link": link}

    def submitted(self, form: ConfirmForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Shut everybody out, and lead to the page that sets a new password."""
        customer, link = session.current_customer(), shown["link"]
        reset = report_not_me(current_context(), session.current_visitor(), link)
        if customer is not None and customer.id == link.contact_id:
            session.sign_out()
        session.hold_link(Purpose.RESET, reset)
        session.remember_used_link(link.public_id)
        session.give_notice(_DONE)
        return redirect(url_for("password.set_new_opened"))


pages.add_url_rule("/not-me/<token>", view_func=NotMePage.as_view("open"))
pages.add_url_rule("/not-me", view_func=NotMePage.as_view("opened"), methods=["GET"])
