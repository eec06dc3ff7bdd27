"""Reset the password by an email, and check passwords while they are typed."""

from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from portal.app import current_context
from portal.domain.errors import Refused
from portal.domain.messages import N_
from portal.domain.one_time_links import LinkUsed, OpenLink
from portal.domain.sign_ins import PendingSignIn, SignIn
from portal.domain.tokens import Purpose
from portal.domain.use_cases.judge_password import judge_password
from portal.domain.use_cases.request_reset import request_reset
from portal.domain.use_cases.set_new_password import get_reset_link, repeat_reset, reset_and_sign_in
from portal.extensions import typing_rate
from portal.i18n import translate
from portal.web import emailed_links, session
from portal.web.cookies import is_framed
from portal.web.form_page import PageState, StatelessFormPage, refusal_text
from portal.web.forms import EmailForm, NewPasswordForm, TypingForm
from portal.web.handover import sign_in_and_redirect
from portal.web.link_page import LinkPage, LinkState
from portal.web.portal_form import PortalForm

_SET = N_("Your new password is set and you're signed in. All your other devices have been signed out.")
_SET_ALREADY = N_("This password is set already. You're signed in, and all your other devices have been signed out.")
_SET_INSTEAD = N_(
    "Your email address is confirmed, your new password is set, and you're signed in. The password replaces the one "
    "chosen at registration. What else was entered there was not saved."
)
_SET_BEFORE_SECOND_STEP = N_("Your new password is set, and all your devices have been signed out.")
_SET_ALREADY_BEFORE_SECOND_STEP = N_("This password is set already. All your devices have been signed out.")

pages = Blueprint("password", __name__)


@pages.get("/.well-known/change-password")
def change_password() -> Response:
    """Redirect password managers to the page that changes a password (W3C well-known URL)."""
    return redirect(url_for("account.change_password"), 302)


class ResetRequestPage(StatelessFormPage[EmailForm]):
    """Request an email with a link that resets the password."""

    form_class = EmailForm
    template = "password/request_reset.html"

    def early_redirect(self) -> ResponseReturnValue | None:
        """Redirect a signed-in customer to the page that changes the password; in a frame, it is not allowed."""
        if session.current_customer() is None:
            return None
        return redirect(url_for("account.home" if is_framed() else "account.change_password"))

    def submit(self, form: EmailForm, state: PageState) -> ResponseReturnValue:
        """Queue the email; the response is the same for every address."""
        address = form.email.address
        request_reset(current_context(), session.current_visitor(), address)
        emailed_links.remember_mailed_to(Purpose.RESET, address.email)
        return redirect(url_for("password.reset_sent"))


pages.add_url_rule("/password/reset", view_func=ResetRequestPage.as_view("request_reset"))


@pages.get("/password/reset-sent")
def reset_sent() -> str:
    """Say what to do next; the page is the same for every address."""
    session.current_customer()
    return render_template("password/reset_sent.html", email=emailed_links.mailed_to(Purpose.RESET))


@pages.post("/password/strength")
@typing_rate
def strength() -> ResponseReturnValue:
    """Check a new password against the policy while the customer types it, for the page's script (static/portal.js).

    The password is not stored. `words` is the text to show, in the customer's language.
    """
    form = TypingForm(formdata=request.form)
    if not form.check():
        abort(422)
    personal = [form.email.data, form.first_name.data, form.last_name.data]
    if customer := session.current_customer():
        personal += [customer.email, customer.first_name, customer.last_name]
    if (is_strong := check_typed_password(form, *personal)) is None:
        return {"fit": False, "words": form.password.errors[0]}
    words = N_("Strong enough.") if is_strong else N_("It will do. A longer one is safer.")
    return {"fit": True, "words": translate(words)}


def check_typed_password(form: PortalForm, *personal: str | None) -> bool | None:
    """Return whether the field `password` of a form is strong; if it is refused, add the error and return None."""
    if form["password"].errors:
        return None
    try:
        return judge_password(current_context(), session.current_visitor(), form["password"].data or "", personal)
    except Refused as refusal:
        form.refuse("password", refusal_text(refusal))
        return None


@dataclass
class _NewPasswordState(LinkState):
    min_length: int


class NewPasswordPage(LinkPage[NewPasswordForm, _NewPasswordState]):
    """Set a new password by the link of an email."""

    form_class = NewPasswordForm
    template = "password/set_new.html"
    purpose = Purpose.RESET
    request_endpoint = "password.request_reset"
    used_notice = N_("Your password is already set. Each link works once.")
    used_form_notice = N_("This link had already set a new password. What you entered now was not saved.")

    def get(self, token: str | None = None) -> ResponseReturnValue:
        """Show the page of a link; a customer who has just set the password and goes back is led to the account."""
        if token is None and session.current_customer() and emailed_links.last_opened_link(self.purpose) is None:
            return redirect(url_for("account.home"))
        return super().get(token)

    def load(self, token: str) -> _NewPasswordState:
        link = get_reset_link(current_context(), session.current_visitor(), token)
        return _NewPasswordState(token, link.email, link, current_context().rules.password_min_length)

    def submit(self, form: NewPasswordForm, state: _NewPasswordState) -> ResponseReturnValue:
        """Set the password and sign in; all other browsers are signed out."""
        remember = session.is_remembered()
        reset = reset_and_sign_in(
            current_context(),
            session.current_visitor(),
            state.link,
            form.password.text,
            remember=remember,
            replacing=session.presented_identity(),
        )
        notice = _SET_ALREADY if reset.was_current else _SET_INSTEAD if reset.dropped_registration else _SET
        before = _SET_ALREADY_BEFORE_SECOND_STEP if reset.was_current else _SET_BEFORE_SECOND_STEP
        return _sign_in(reset.sign_in, state.link, notice, remember=remember, before_second_step=before)

    def submit_again(self, used: LinkUsed) -> ResponseReturnValue:
        """Sign in again if the form has the password that was set: its browser may not have received the response."""
        form = NewPasswordForm(formdata=request.form)
        remember = session.is_remembered()
        if form.check():
            begun = repeat_reset(
                current_context(),
                session.current_visitor(),
                used,
                form.password.text,
                remember=remember,
                replacing=session.presented_identity(),
            )
            if begun is not None:
                return _sign_in(begun, used.link, _SET, remember=remember)
        return super().submit_again(used)


def _sign_in(
    begun: SignIn, link: OpenLink, notice: str, *, remember: bool, before_second_step: str = _SET_BEFORE_SECOND_STEP
) -> ResponseReturnValue:
    response = sign_in_and_redirect(begun, remember=remember, after=None)
    emailed_links.remember_used_link(link.public_id)
    if isinstance(begun, PendingSignIn):
        session.set_notice(before_second_step)
    elif response.location == url_for("account.home"):
        session.set_notice(notice)
    return response


pages.add_url_rule("/password/reset/<token>", view_func=NewPasswordPage.as_view("set_new"))
pages.add_url_rule("/password/new", view_func=NewPasswordPage.as_view("set_new_opened"), methods=["GET"])
