"""The customer's own pages."""

from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.use_cases.change_password import change_password, has_password
from portal.web import session
from portal.web.form_page import FormPage
from portal.web.forms import ChangePasswordForm, ConfirmForm, PortalForm
from portal.web.password import judge_typed_password

pages = Blueprint("account", __name__, url_prefix="/account")


@pages.get("")
def home() -> str:
    """Who they are to the organisation."""
    session.signed_in_customer()
    return render_template("account/home.html")


class ChangePasswordPage(FormPage):
    """Change the password, knowing the current one."""

    form_class = ChangePasswordForm
    template = "account/change_password.html"

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """Only for who is signed in; the rule for passwords is told before it is broken."""
        customer = session.signed_in_customer()
        return {
            "has_password": has_password(current_context(), customer),
            "min_length": current_context().rules.password_min_length,
        }

    def form_for(self, shown: dict[str, Any]) -> type[PortalForm]:
        """Nothing to type for a customer who has no password yet: a button has an email sent."""
        return ChangePasswordForm if shown["has_password"] else ConfirmForm

    def judge(self, form: PortalForm) -> None:
        """Judge the new password also when the current one is missing."""
        if "password" not in form:
            return
        customer = session.signed_in_customer()
        judge_typed_password(form, customer.email, customer.name, customer.first_name, customer.last_name)

    def submitted(self, form: ChangePasswordForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Change it; every other browser is signed out, this one goes on with a new identity."""
        if not shown["has_password"]:  # the page's own button sends to /password/reset
            return redirect(url_for("account.change_password"))
        remember = session.is_remembered()
        identity = change_password(
            current_context(),
            session.current_visitor(),
            session.signed_in_customer(),
            form.current_password.text,
            form.password.text,
            remember=remember,
        )
        session.sign_in(identity, remember=remember)
        session.give_notice(N_("Your password is changed. All your other devices have been signed out."))
        return redirect(url_for("account.home"))


pages.add_url_rule("/password", view_func=ChangePasswordPage.as_view("change_password"))
