"""Sign in by the link or the code of an email."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.one_time_links import LinkUsed, OpenLink
from portal.domain.tokens import Purpose
from portal.domain.use_cases.log_in_by_email import (
    get_sign_in_link,
    get_sign_in_link_by_code,
    log_in_by_email,
    request_sign_in,
)
from portal.web import emailed_links, session
from portal.web.form_page import CodeState, FormPage, PageState, StatelessFormPage
from portal.web.forms import CodeForm, RememberForm, SignInByMailForm
from portal.web.handover import redirect_signed_in, sign_in_and_redirect
from portal.web.link_page import LinkPage, LinkState
from portal.web.redirects import own_path

_DROPPED_PASSWORD = N_(
    "Your email address is confirmed. What was entered at registration was not saved, because you signed in by email "
    "instead. You can add your name and a password at any time."
)

_USED = N_("This link, or the code beside it, was already used to sign in. Both work only once.")

pages = Blueprint("mail_sign_in", __name__, url_prefix="/login")


class RequestPage(StatelessFormPage[SignInByMailForm]):
    """Request an email to sign in with."""

    form_class = SignInByMailForm
    template = "login/link.html"

    def early_redirect(self) -> ResponseReturnValue | None:
        return redirect_signed_in(request.values.get("next")) if session.current_customer() else None

    def submit(self, form: SignInByMailForm, state: PageState) -> ResponseReturnValue:
        """Queue the email; the response is the same for every address."""
        address = form.email.address
        public_id = request_sign_in(current_context(), session.current_visitor(), address)
        emailed_links.remember_sign_in_request(public_id, address.email, keep_signed_in=form.remember.data)
        session.remember_requested_path(own_path(form.next.data))
        return redirect(url_for("mail_sign_in.code"))


class CodePage(FormPage[CodeForm, CodeState]):
    """Enter the code, in the browser that requested the email."""

    form_class = CodeForm
    template = "login/code.html"

    def early_redirect(self) -> ResponseReturnValue | None:
        """Redirect a customer who has signed in since the request."""
        is_done = session.current_customer() is not None and not emailed_links.sign_in_requests()
        return redirect_signed_in(session.requested_path()) if is_done else None

    def load(self) -> CodeState:
        return CodeState(
            email=emailed_links.mailed_to(Purpose.SIGN_IN), requested_here=bool(emailed_links.sign_in_requests())
        )

    def prefill(self, form: CodeForm, state: CodeState) -> None:
        form.remember.data = emailed_links.wants_to_stay_signed_in()

    def submit(self, form: CodeForm, state: CodeState) -> ResponseReturnValue:
        requests = emailed_links.sign_in_requests()
        link = get_sign_in_link_by_code(current_context(), session.current_visitor(), requests, form.code.data or "")
        return _sign_in(link, remember=form.remember.data)


class SignInPage(LinkPage[RememberForm, LinkState]):
    """Show the address of the account, and a button that signs in."""

    form_class = RememberForm
    template = "login/open.html"
    purpose = Purpose.SIGN_IN
    request_endpoint = "mail_sign_in.request"

    def load(self, token: str) -> LinkState:
        link = get_sign_in_link(current_context(), session.current_visitor(), token)
        return LinkState(token=token, email=link.email, link=link)

    def prefill(self, form: RememberForm, state: LinkState) -> None:
        is_ours = state.link.public_id in emailed_links.sign_in_requests()
        form.remember.data = is_ours and emailed_links.wants_to_stay_signed_in()

    def submit(self, form: RememberForm, state: LinkState) -> ResponseReturnValue:
        return _sign_in(state.link, remember=form.remember.data)

    def redirect_used(self, used: LinkUsed) -> ResponseReturnValue:
        """Redirect as for other links, and tell a customer who has signed out since that the link was used."""
        response = super().redirect_used(used)
        if session.current_customer() is None and session.pending_sign_in() is None:
            session.set_notice(_USED, is_done=False)
        return response


def _sign_in(link: OpenLink, *, remember: bool) -> ResponseReturnValue:
    signed_in = log_in_by_email(
        current_context(), session.current_visitor(), link, remember=remember, replacing=session.presented_identity()
    )
    # Another browser than the one that requested the email may have a requested path of its own.
    after = session.requested_path() if link.public_id in emailed_links.sign_in_requests() else None
    response = sign_in_and_redirect(signed_in.sign_in, remember=remember, after=after)
    emailed_links.remember_used_link(link.public_id)
    if signed_in.dropped_registration:
        session.set_notice(_DROPPED_PASSWORD, ("account.change_password", N_("Set a password")))
    return response


pages.add_url_rule("/link", view_func=RequestPage.as_view("request"))
pages.add_url_rule("/code", view_func=CodePage.as_view("code"))
pages.add_url_rule("/link/<token>", view_func=SignInPage.as_view("open"))
pages.add_url_rule("/confirm", view_func=SignInPage.as_view("opened"), methods=["GET"])
