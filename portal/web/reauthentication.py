"""Confirming who sits there before something dangerous: by password or emailed code, then by the second step."""

from typing import Any, ClassVar

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.recent_authentication import is_second_step_due
from portal.domain.use_cases.get_security import get_security
from portal.domain.use_cases.reauthenticate import (
    reauthenticate,
    reauthenticate_by_code,
    reauthenticate_by_second_step,
    request_code,
)
from portal.web import session
from portal.web.form_page import FormPage
from portal.web.forms import AskCodeForm, ConfirmCodeForm, ConfirmPasswordForm, ConfirmSecondStepForm, PortalForm
from portal.web.redirects import own_path, redirect_to

pages = Blueprint("reauthentication", __name__, url_prefix="/reauthenticate")


class PasswordPage(FormPage):
    """Type the password, or have a code sent."""

    form_class: ClassVar[type[PortalForm]] = ConfirmPasswordForm
    template = "account/reauthenticate.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer on who only needs to enter a code of the second step."""
        if is_second_step_due(current_context(), session.signed_in_customer()):
            return redirect(url_for("reauthentication.second_step", next=own_path(request.args.get("next"))))
        return None

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """Whether there is a password to type."""
        return {"has_password": get_security(current_context(), session.signed_in_customer()).has_password}

    def filled(self, form: PortalForm) -> None:
        """Where to go on afterwards."""
        form["next"].data = own_path(request.args.get("next"))

    def submitted(self, form: Any, shown: dict[str, Any]) -> ResponseReturnValue:
        """Check it."""
        customer = session.signed_in_customer()
        return _go_on(
            reauthenticate(current_context(), session.current_visitor(), customer, form.password.text), form.next.data
        )


class AskCodePage(PasswordPage):
    """Have a code sent; the page itself is only seen when something was wrong with what was sent."""

    form_class = AskCodeForm

    def get(self, **_arguments: Any) -> ResponseReturnValue:
        """Lead to the page with the button."""
        return redirect(url_for("reauthentication.password", next=own_path(request.args.get("next"))))

    def submitted(self, form: Any, shown: dict[str, Any]) -> ResponseReturnValue:
        """Send it to the customer's own address."""
        customer = session.signed_in_customer()
        session.remember_code_request(request_code(current_context(), session.current_visitor(), customer))
        return redirect(url_for("reauthentication.code", next=own_path(form.next.data)))


class CodePage(FormPage):
    """Type the code, in the browser that asked."""

    form_class = ConfirmCodeForm
    template = "account/reauthenticate_code.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer whose browser has not asked for a code to the page with the button."""
        session.signed_in_customer()
        if session.code_requests():
            return None
        return redirect(url_for("reauthentication.password", next=own_path(request.args.get("next"))))

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """For whom."""
        session.signed_in_customer()
        return {}

    def filled(self, form: PortalForm) -> None:
        """Where to go on afterwards."""
        form["next"].data = own_path(request.args.get("next"))

    def submitted(self, form: ConfirmCodeForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Check it."""
        identity = reauthenticate_by_code(
            current_context(),
            session.current_visitor(),
            session.signed_in_customer(),
            session.code_requests(),
            form.code.data or "",
            remember=session.is_remembered(),
        )
        return _go_on(identity, form.next.data)


class SecondStepPage(FormPage):
    """Type a code of the second step."""

    form_class = ConfirmSecondStepForm
    template = "account/reauthenticate_two_step.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer of whom it is not asked now to the other ways."""
        if is_second_step_due(current_context(), session.signed_in_customer()):
            return None
        return redirect(url_for("reauthentication.password", next=own_path(request.args.get("next"))))

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """For whom."""
        session.signed_in_customer()
        return {}

    def filled(self, form: PortalForm) -> None:
        """Where to go on afterwards."""
        form["next"].data = own_path(request.args.get("next"))
        form["recovery"].data = request.args.get("recovery") and "y"

    def submitted(self, form: ConfirmSecondStepForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Check it."""
        customer = session.signed_in_customer()
        identity = reauthenticate_by_second_step(
            current_context(), session.current_visitor(), customer, form.code.data or ""
        )
        return _go_on(identity, form.next.data)


def _go_on(identity: str | None, after: str | None) -> ResponseReturnValue:
    if identity is None:
        return session.to_sign_in()
    session.renew(identity)
    if is_second_step_due(current_context(), session.signed_in_customer()):
        return redirect(url_for("reauthentication.second_step", next=own_path(after)))
    session.give_notice(N_("Thanks, that's confirmed."))
    return redirect_to(after, url_for("account.security"))


pages.add_url_rule("", view_func=PasswordPage.as_view("password"))
pages.add_url_rule("/email", view_func=AskCodePage.as_view("ask_code"))
pages.add_url_rule("/code", view_func=CodePage.as_view("code"))
pages.add_url_rule("/two-step", view_func=SecondStepPage.as_view("second_step"))
