"""Signing in by a mailed link, or by the code beside it."""

from typing import Any

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.one_time_links import OpenLink
from portal.domain.tokens import Purpose
from portal.domain.use_cases.log_in_by_email import (
    get_sign_in_link,
    get_sign_in_link_by_code,
    log_in_by_email,
    request_sign_in,
)
from portal.web import session
from portal.web.form_page import FormPage
from portal.web.forms import CodeForm, PortalForm, RememberForm, SignInByMailForm
from portal.web.handover import arrive, go_on
from portal.web.link_page import LinkPage
from portal.web.redirects import own_path

_DROPPED_PASSWORD = N_(
    "Your email address is confirmed. The password chosen at registration was not saved, because you signed in by "
    "email instead. You can set one at any time."
)

pages = Blueprint("mail_sign_in", __name__, url_prefix="/login")


class RequestPage(FormPage):
    """Ask for a mail."""

    form_class = SignInByMailForm
    template = "login/link.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer who is signed in to where they wanted to go."""
        return go_on(request.values.get("next")) if session.current_customer() else None

    def filled(self, form: PortalForm) -> None:
        """Where to go on afterwards."""
        form["next"].data = own_path(request.args.get("next"))

    def submitted(self, form: SignInByMailForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Have a mail sent; the answer is the same for every address."""
        address = form.email.address
        public_id = request_sign_in(current_context(), session.current_visitor(), address)
        session.remember_sign_in_request(public_id, address.email, own_path(form.next.data))
        return redirect(url_for("mail_sign_in.code"))


class CodePage(FormPage):
    """Type the code, in the browser that asked."""

    form_class = CodeForm
    template = "login/code.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer who has signed in since the mail was asked for to where they wanted to go."""
        is_done = session.current_customer() is not None and not session.sign_in_requests()
        return go_on(session.wanted_path()) if is_done else None

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """The address as it was typed."""
        return {"email": session.mailed_to(), "requested_here": bool(session.sign_in_requests())}

    def submitted(self, form: CodeForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Sign in."""
        requests = session.sign_in_requests()
        link = get_sign_in_link_by_code(current_context(), session.current_visitor(), requests, form.code.data or "")
        return _sign_in(link, remember=form.remember.data)


class SignInPage(LinkPage):
    """Whose account the link opens, and a button: looking signs nobody in, and uses nothing up."""

    form_class = RememberForm
    template = "login/open.html"
    purpose = Purpose.SIGN_IN
    beginning = "mail_sign_in.request"

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """Whose account it is."""
        link = get_sign_in_link(current_context(), session.current_visitor(), arguments["token"])
        return {"token": arguments["token"], "email": link.email, "link": link}

    def submitted(self, form: RememberForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Sign in."""
        return _sign_in(shown["link"], remember=form.remember.data)


def _sign_in(link: OpenLink, *, remember: bool) -> ResponseReturnValue:
    signed_in = log_in_by_email(
        current_context(), session.current_visitor(), link, remember=remember, replacing=session.carried_identity()
    )
    # Only the browser that asked remembers where it wanted to go.
    after = session.wanted_path() if link.public_id in session.sign_in_requests() else None
    onward = arrive(signed_in.sign_in, remember=remember, after=after)
    session.remember_used_link(link.public_id)
    if signed_in.dropped_registration:
        session.give_notice(_DROPPED_PASSWORD, ("account.change_password", N_("Set a password")))
    return onward


pages.add_url_rule("/link", view_func=RequestPage.as_view("request"))
pages.add_url_rule("/code", view_func=CodePage.as_view("code"))
pages.add_url_rule("/link/<token>", view_func=SignInPage.as_view("open"))
pages.add_url_rule("/confirm", view_func=SignInPage.as_view("opened"), methods=["GET"])
