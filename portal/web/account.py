"""The account's overview and security pages, and the change of the password."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.field_rules import profile_rules
from portal.domain.messages import N_
from portal.domain.recent_authentication import require_recent_authentication
from portal.domain.use_cases.change_password import change_password
from portal.domain.use_cases.get_account_overview import get_account_overview
from portal.domain.use_cases.get_security import get_security
from portal.domain.use_cases.request_address_change import find_pending_change
from portal.domain.use_cases.set_first_password import set_first_password
from portal.i18n import translate
from portal.web import session
from portal.web.form_page import FormPage, PageState
from portal.web.forms import ChangePasswordForm, NewPasswordForm
from portal.web.organisation import current_organisation
from portal.web.passkeys import find_party, why_no_passkeys
from portal.web.password import check_typed_password
from portal.web.profile_forms import field_label

_ADD = {
    "phone": N_("Add your phone number"),
    "first_name": N_("Add your first name"),
    "last_name": N_("Add your last name"),
}
"""The words for fields that the overview often asks for."""

pages = Blueprint("account", __name__, url_prefix="/account")


@pages.get("")
def home() -> str:
    """Show the overview, with what is missing."""
    rules = profile_rules(current_organisation().field_rules)
    overview = get_account_overview(current_context(), session.signed_in_customer(), rules)
    missing = [
        (name, translate(_ADD[name]) if name in _ADD else translate(N_("Add: %(field)s"), field=field_label(name)))
        for name in overview.missing
    ]
    can_add_passkey = not overview.has_passkey and find_party() is not None
    return render_template("account/home.html", overview=overview, missing=missing, can_add_passkey=can_add_passkey)


@pages.get("/security")
def security() -> str:
    context, customer = current_context(), session.signed_in_customer()
    return render_template(
        "account/security.html",
        security=get_security(context, customer),
        pending_change=find_pending_change(context, customer),
        why_no_passkeys=why_no_passkeys(),
    )


@dataclass
class _ChangePasswordState(PageState):
    min_length: int
    has_password: bool


class ChangePasswordPage(FormPage[ChangePasswordForm | NewPasswordForm, _ChangePasswordState]):
    """Change the password, or set a first one."""

    template = "account/change_password.html"

    def load(self) -> _ChangePasswordState:
        """Require a signed-in customer; one without a password must also have authenticated recently."""
        customer = session.signed_in_customer()
        has_password = get_security(current_context(), customer).has_password
        if not has_password:
            require_recent_authentication(current_context(), customer)
        return _ChangePasswordState(current_context().rules.password_min_length, has_password)

    def validate_more(self, form: ChangePasswordForm | NewPasswordForm) -> None:
        customer = session.signed_in_customer()
        check_typed_password(form, customer.email, customer.name, customer.first_name, customer.last_name)

    def form_for(self, state: _ChangePasswordState) -> type[ChangePasswordForm] | type[NewPasswordForm]:
        return ChangePasswordForm if state.has_password else NewPasswordForm

    def submit(self, form: ChangePasswordForm | NewPasswordForm, state: _ChangePasswordState) -> ResponseReturnValue:
        """Change the password: all other browsers are signed out, and this one gets a new identity."""
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
