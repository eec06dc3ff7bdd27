"""The customer's own pages."""

from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.field_rules import profile_rules
from portal.domain.messages import N_
from portal.domain.recent_authentication import require_recent_authentication
from portal.domain.use_cases.change_password import change_password
from portal.domain.use_cases.get_account_overview import get_account_overview
from portal.domain.use_cases.get_security import get_security
from portal.domain.use_cases.set_first_password import set_first_password
from portal.web import session
from portal.web.form_page import FormPage
from portal.web.forms import ChangePasswordForm, NewPasswordForm, PortalForm
from portal.web.organisation import current_organisation
from portal.web.password import judge_typed_password
from portal.web.profile_forms import field_label

pages = Blueprint("account", __name__, url_prefix="/account")


@pages.get("")
def home() -> str:
    """Who they are to the organisation, and what wants their attention."""
    rules = profile_rules(current_organisation().field_rules)
    overview = get_account_overview(current_context(), session.signed_in_customer(), rules)
    missing = [(name, field_label(name)) for name in overview.missing]
    return render_template("account/home.html", overview=overview, missing=missing)


@pages.get("/security")
def security() -> str:
    """How they sign in, and how to change it."""
    return render_template(
        "account/security.html", security=get_security(current_context(), session.signed_in_customer())
    )


class ChangePasswordPage(FormPage):
    """Change the password, knowing the current one; or set a first one."""

    template = "account/change_password.html"

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """Only for who is signed in; the rule for passwords is told before it is broken."""
        customer = session.signed_in_customer()
        has_password = get_security(current_context(), customer).has_password
        if not has_password:
            require_recent_authentication(current_context(), customer)
        return {"min_length": current_context().rules.password_min_length, "has_password": has_password}

    def judge(self, form: PortalForm) -> None:
        """Judge the new password also when the current one is missing."""
        customer = session.signed_in_customer()
        judge_typed_password(form, customer.email, customer.name, customer.first_name, customer.last_name)

    def form_for(self, shown: dict[str, Any]) -> type[PortalForm]:
        """Without a current password none is asked for."""
        return ChangePasswordForm if shown["has_password"] else NewPasswordForm

    def submitted(self, form: ChangePasswordForm | NewPasswordForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Change it; every other browser is signed out, this one goes on with a new identity."""
        context, visitor, customer = current_context(), session.current_visitor(), session.signed_in_customer()
        remember, password = session.is_remembered(), form.password.text
        if isinstance(form, ChangePasswordForm):
            current = form.current_password.text
            identity = change_password(context, visitor, customer, current, password, remember=remember)
            notice = N_("Your password is changed. All your other devices have been signed out.")
        else:
            identity = set_first_password(context, visitor, customer, password, remember=remember)
            notice = N_("Your password is set. All your other devices have been signed out.")
        session.sign_in(identity, remember=remember)
        session.set_notice(notice)
        return redirect(url_for("account.home"))


pages.add_url_rule("/password", view_func=ChangePasswordPage.as_view("change_password"))
