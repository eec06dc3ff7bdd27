"""A new password by mail."""

from typing import Any

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
from portal.web import session
from portal.web.cookies import is_framed
from portal.web.form_page import FormPage, words_of
from portal.web.forms import EmailForm, NewPasswordForm, PortalForm, TypingForm
from portal.web.handover import arrive
from portal.web.link_page import LinkPage

_SET = N_("Your new password is set and you're signed in. All your other devices have been signed out.")
_SET_ALREADY = N_("This password is set already. You're signed in, and all your other devices have been signed out.")
_SET_INSTEAD = N_(
    "Your email address is confirmed and your new password is set. It replaces the one chosen at registration. You are "
    "signed in."
)
_SET_BEFORE_SECOND_STEP = N_("Your new password is set, and all your devices have been signed out.")

pages = Blueprint("password", __name__)


@pages.get("/.well-known/change-password")
def change_password() -> Response:
    """Where password managers look for the page that changes a password (W3C well-known URL)."""
    return redirect(url_for("account.change_password"), 302)


class ResetRequestPage(FormPage):
    """Ask for a link."""

    form_class = EmailForm
    template = "password/request_reset.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer who is signed in to changing the password; that page is never framed."""
        if session.current_customer() is None:
            return None
        return redirect(url_for("account.home" if is_framed() else "account.change_password"))

    def submitted(self, form: EmailForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Have a mail sent; the answer is the same for every address."""
        address = form.email.address
        request_reset(current_context(), session.current_visitor(), address)
        session.remember_mailed_to(address.email)
        return redirect(url_for("password.reset_sent"))


pages.add_url_rule("/password/reset", view_func=ResetRequestPage.as_view("request_reset"))


@pages.get("/password/reset-sent")
def reset_sent() -> str:
    """What to do now; the same words for every address."""
    session.current_customer()
    return render_template("password/reset_sent.html", email=session.mailed_to())


@pages.post("/password/strength")
@typing_rate
def strength() -> ResponseReturnValue:
    """What will be said of a new password, while it is typed; `words` are for people, in their language.

    The page's script asks (static/portal.js). The password is not kept, and an answer tells nothing but the policy.
    """
    form = TypingForm(formdata=request.form)
    if not form.check():
        abort(422)
    personal = [form.email.data, form.first_name.data, form.last_name.data]
    if customer := session.current_customer():
        personal += [customer.email, customer.first_name, customer.last_name]
    if (is_strong := judge_typed_password(form, *personal)) is None:
        return {"fit": False, "words": form.password.errors[0]}
    words = N_("Strong enough.") if is_strong else N_("It will do. A longer one is safer.")
    return {"fit": True, "words": translate(words)}


def judge_typed_password(form: PortalForm, *personal: str | None) -> bool | None:
    """Judge the field `password` of a form; whether it is strong, None with an error when refused."""
    if form["password"].errors:
        return None
    try:
        return judge_password(current_context(), session.current_visitor(), form["password"].data or "", personal)
    except Refused as refusal:
        form.refuse("password", words_of(refusal))
        return None


class NewPasswordPage(LinkPage):
    """Set a new password by a mailed link; looking never uses the link up."""

    form_class = NewPasswordForm
    template = "password/set_new.html"
    purpose = Purpose.RESET
    beginning = "password.request_reset"
    told_again = N_("Your new password has been set with this link already.")

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """Whose password it is."""
        link = get_reset_link(current_context(), session.current_visitor(), arguments["token"])
        return {
            "token": arguments["token"],
            "email": link.email,
            "link": link,
            "min_length": current_context().rules.password_min_length,
        }

    def submitted(self, form: NewPasswordForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Set it and sign in; every other browser is signed out."""
        remember = session.is_remembered()
        reset = reset_and_sign_in(
            current_context(),
            session.current_visitor(),
            shown["token"],
            form.password.text,
            remember=remember,
            replacing=session.carried_identity(),
        )
        notice = _SET_ALREADY if reset.was_current else _SET_INSTEAD if reset.dropped_registration else _SET
        return _arrive(reset.sign_in, shown["link"], notice, remember=remember)

    def sent_again(self, used: LinkUsed) -> ResponseReturnValue:
        """Give the same answer once more to the browser that did not get it."""
        form = NewPasswordForm(formdata=request.form)
        remember = session.is_remembered()
        if form.check():
            begun = repeat_reset(
                current_context(),
                session.current_visitor(),
                used,
                form.password.text,
                remember=remember,
                replacing=session.carried_identity(),
            )
            if begun is not None:
                return _arrive(begun, used.link, _SET, remember=remember)
        return super().sent_again(used)


def _arrive(begun: SignIn, link: OpenLink, notice: str, *, remember: bool) -> ResponseReturnValue:
    onward = arrive(begun, remember=remember, after=None)
    session.remember_used_link(link.public_id)
    if isinstance(begun, PendingSignIn):
        session.give_notice(_SET_BEFORE_SECOND_STEP)
    elif onward.location == url_for("account.home"):
        session.give_notice(notice)
    return onward


pages.add_url_rule("/password/reset/<token>", view_func=NewPasswordPage.as_view("set_new"))
pages.add_url_rule("/password/new", view_func=NewPasswordPage.as_view("set_new_opened"), methods=["GET"])
