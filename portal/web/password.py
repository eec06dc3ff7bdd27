"""A new password by mail."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from portal.app import current_context
from portal.domain.errors import Refused
from portal.domain.messages import N_
from portal.domain.use_cases.judge_password import judge_password
from portal.domain.use_cases.request_reset import request_reset
from portal.domain.use_cases.set_new_password import get_reset_link, set_new_password
from portal.extensions import typing_rate
from portal.i18n import translate
from portal.web import session
from portal.web.form_page import FormPage, words_of
from portal.web.forms import EmailForm, NewPasswordForm, TypingForm

_SET = N_("Your new password is set. You can sign in with it now.")
_SET_INSTEAD = N_(
    "Your email address is confirmed and your new password is set. It replaces the one chosen at registration. You can "
    "sign in with it now."
)

pages = Blueprint("password", __name__)


@pages.get("/.well-known/change-password")
def change_password() -> Response:
    """Where password managers look for the page that changes a password (W3C well-known URL)."""
    return redirect(url_for("account.change_password"), 302)


class ResetRequestPage(FormPage):
    """Ask for a link."""

    form_class = EmailForm
    template = "password/request_reset.html"

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
    if form.problems():
        abort(422)
    personal = [form.email.data, form.first_name.data, form.last_name.data]
    if customer := session.current_customer():
        personal += [customer.email, customer.first_name, customer.last_name]
    try:
        is_strong = judge_password(current_context(), session.current_visitor(), form.password.text, personal)
    except Refused as refusal:
        return {"fit": False, "words": words_of(refusal)}
    words = N_("Strong enough.") if is_strong else N_("It will do. A longer one is safer.")
    return {"fit": True, "words": translate(words)}


class NewPasswordPage(FormPage):
    """Set a new password by a mailed link; looking never uses the link up."""

    form_class = NewPasswordForm
    template = "password/set_new.html"

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """Whose password it is."""
        link = get_reset_link(current_context(), session.current_visitor(), arguments["token"])
        return {
            "token": arguments["token"],
            "email": link.email,
            "min_length": current_context().rules.password_min_length,
        }

    def submitted(self, form: NewPasswordForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Set it. Nobody is signed in by it, and whoever was is signed out, here too."""
        dropped_registration = set_new_password(
            current_context(), session.current_visitor(), shown["token"], form.password.text
        )
        session.sign_out()
        session.give_notice(_SET_INSTEAD if dropped_registration else _SET)
        return redirect(url_for("login.login"))


pages.add_url_rule("/password/reset/<token>", view_func=NewPasswordPage.as_view("set_new"))
