"""Reauthenticate before a sensitive change: by password, passkey or a code from an email, and by the second step."""

from dataclasses import dataclass

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.recent_authentication import is_second_step_due
from portal.domain.relying_party import RelyingParty
from portal.domain.use_cases.get_security import get_security
from portal.domain.use_cases.reauthenticate import (
    reauthenticate,
    reauthenticate_by_code,
    reauthenticate_by_passkey,
    reauthenticate_by_second_step,
    request_code,
    request_own_passkey,
)
from portal.extensions import form_rate
from portal.web import emailed_links, session
from portal.web.form_page import CodeState, FormPage, FormT, PageState
from portal.web.forms import (
    AskCodeForm,
    ConfirmCodeForm,
    ConfirmPasskeyForm,
    ConfirmPasswordForm,
    ConfirmSecondStepForm,
)
from portal.web.passkeys import find_party, get_party, options_for_script, response_in
from portal.web.redirects import own_path, redirect_to
from portal.web.saved_input import has_saved_form

_CONFIRMED = N_("Thanks, that's confirmed.")
_CONFIRMED_PRESS_AGAIN = N_("Thanks, that's confirmed. Now press the button again.")

pages = Blueprint("reauthentication", __name__, url_prefix="/reauthenticate")


@dataclass
class _ReauthenticationState(PageState):
    has_password: bool
    party: RelyingParty | None
    """None for a customer who has no passkey, or cannot use it at this address."""


class _ReauthenticationPage(FormPage[FormT, _ReauthenticationState]):
    """The page with all ways: the password, a passkey, and the button that requests a code."""

    template = "account/reauthenticate.html"

    def load(self) -> _ReauthenticationState:
        security = get_security(current_context(), session.signed_in_customer())
        return _ReauthenticationState(security.has_password, find_party() if security.passkeys else None)


class PasswordPage(_ReauthenticationPage[ConfirmPasswordForm]):
    """Enter the password."""

    form_class = ConfirmPasswordForm

    def early_redirect(self) -> ResponseReturnValue | None:
        """Redirect a customer who only needs the second step."""
        if is_second_step_due(current_context(), session.signed_in_customer()):
            return redirect(url_for("reauthentication.second_step", next=own_path(request.args.get("next"))))
        return None

    def submit(self, form: ConfirmPasswordForm, state: _ReauthenticationState) -> ResponseReturnValue:
        customer = session.signed_in_customer()
        identity = reauthenticate(current_context(), session.current_visitor(), customer, form.password.text)
        return _renew_and_redirect(identity, form.next.data)


class PasskeyPage(_ReauthenticationPage[ConfirmPasskeyForm]):
    """Use a passkey."""

    form_class = ConfirmPasskeyForm
    shown_on = "reauthentication.password"

    def submit(self, form: ConfirmPasskeyForm, state: _ReauthenticationState) -> ResponseReturnValue:
        identity = reauthenticate_by_passkey(
            current_context(), session.current_visitor(), session.signed_in_customer(), response_in(form)
        )
        return _renew_and_redirect(identity, form.next.data)


@pages.post("/passkey/options")
@form_rate
def passkey_options() -> ResponseReturnValue:
    """Return what the page's script asks the browser for (static/passkeys.js)."""
    customer = session.signed_in_customer()
    return options_for_script(request_own_passkey(current_context(), customer, get_party()))


class AskCodePage(_ReauthenticationPage[AskCodeForm]):
    """Request a code."""

    form_class = AskCodeForm
    shown_on = "reauthentication.password"

    def submit(self, form: AskCodeForm, state: _ReauthenticationState) -> ResponseReturnValue:
        customer = session.signed_in_customer()
        emailed_links.remember_code_request(request_code(current_context(), session.current_visitor(), customer))
        return redirect(url_for("reauthentication.code", next=own_path(form.next.data)))


class CodePage(FormPage[ConfirmCodeForm, CodeState]):
    """Enter the code, in the browser that requested it."""

    form_class = ConfirmCodeForm
    template = "account/reauthenticate_code.html"

    def early_redirect(self) -> ResponseReturnValue | None:
        """Redirect a customer whose browser has not requested a code to the page with the button."""
        session.signed_in_customer()
        if emailed_links.code_requests():
            return None
        return redirect(url_for("reauthentication.password", next=own_path(request.args.get("next"))))

    def load(self) -> CodeState:
        """Require a signed-in customer."""
        return CodeState(session.signed_in_customer().email, requested_here=True)

    def submit(self, form: ConfirmCodeForm, state: CodeState) -> ResponseReturnValue:
        identity = reauthenticate_by_code(
            current_context(),
            session.current_visitor(),
            session.signed_in_customer(),
            emailed_links.code_requests(),
            form.code.data or "",
            remember=session.is_remembered(),
        )
        return _renew_and_redirect(identity, form.next.data)


class SecondStepPage(_ReauthenticationPage[ConfirmSecondStepForm]):
    """Enter a code of the second step, or use a passkey."""

    form_class = ConfirmSecondStepForm
    template = "account/reauthenticate_two_step.html"

    def early_redirect(self) -> ResponseReturnValue | None:
        """Redirect a customer who does not need it now to the page with the other ways."""
        if is_second_step_due(current_context(), session.signed_in_customer()):
            return None
        return redirect(url_for("reauthentication.password", next=own_path(request.args.get("next"))))

    def prefill(self, form: ConfirmSecondStepForm, state: _ReauthenticationState) -> None:
        form.recovery.data = request.args.get("recovery") and "y"

    def submit(self, form: ConfirmSecondStepForm, state: _ReauthenticationState) -> ResponseReturnValue:
        identity = reauthenticate_by_second_step(
            current_context(), session.current_visitor(), session.signed_in_customer(), form.code.data or ""
        )
        return _renew_and_redirect(identity, form.next.data)


def _renew_and_redirect(identity: str | None, after: str | None) -> ResponseReturnValue:
    if identity is None:
        return session.redirect_to_sign_in()
    session.renew(identity)
    if is_second_step_due(current_context(), session.signed_in_customer()):
        return redirect(url_for("reauthentication.second_step", next=own_path(after)))
    session.set_notice(_CONFIRMED_PRESS_AGAIN if has_saved_form(after) else _CONFIRMED)
    return redirect_to(after, url_for("account.security"))


pages.add_url_rule("", view_func=PasswordPage.as_view("password"))
pages.add_url_rule("/passkey", view_func=PasskeyPage.as_view("passkey"))
pages.add_url_rule("/email", view_func=AskCodePage.as_view("ask_code"))
pages.add_url_rule("/code", view_func=CodePage.as_view("code"))
pages.add_url_rule("/two-step", view_func=SecondStepPage.as_view("second_step"))
