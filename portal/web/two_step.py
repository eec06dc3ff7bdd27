"""Two-step verification: the second step of signing in, and its settings in the account."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from portal.app import current_context
from portal.domain import sign_ins
from portal.domain.messages import N_
from portal.domain.organisations import TwoStepRule
from portal.domain.recent_authentication import require_recent_authentication
from portal.domain.use_cases.end_trust import end_trust
from portal.domain.use_cases.get_security import Security, get_security
from portal.domain.use_cases.pass_two_step import pass_two_step, set_up_at_sign_in
from portal.domain.use_cases.renew_recovery_codes import renew_recovery_codes
from portal.domain.use_cases.set_up_two_step import SetUp, begin_set_up, set_up_two_step
from portal.domain.use_cases.turn_off_two_step import turn_off_two_step
from portal.web import session
from portal.web.form_page import FormPage, PageState
from portal.web.forms import AppCodeForm, ConfirmForm, SecondStepForm
from portal.web.handover import redirect_after_sign_in, redirect_signed_in, sign_browser_in
from portal.web.organisation import current_organisation
from portal.web.passkeys import find_party

_CODE_USED = N_("You signed in with a recovery code. Codes left: %(left)d.")
_IS_OFF = N_("Two-step verification is off.")

pages = Blueprint("two_step", __name__)


@pages.app_template_filter()
def qr_code(uri: str) -> Markup:
    """Draw a QR code as SVG; its colours are the stylesheet's."""
    import segno  # brings an XML library, and only the set-up draws a code

    drawn: str = segno.make(uri, error="m", micro=False).svg_inline(
        svgclass="qr", lineclass=None, omitsize=True, border=4
    )
    return Markup(drawn)  # noqa: S704 - segno writes shapes only


def _set_up_for(contact_id: int, email: str | None) -> SetUp:
    """Begin a set-up, or continue the one that this browser has begun."""
    set_up = begin_set_up(
        current_context(), session.current_visitor(), contact_id, email, sealed=session.saved_set_up()
    )
    if set_up.sealed != session.saved_set_up():
        session.save_set_up(set_up.sealed)
    return set_up


@dataclass
class _SignInState(PageState):
    pending: str
    set_up: SetUp | None
    """If the organisation requires a second step and the customer has none."""
    can_use_passkey: bool
    """Whether passkeys work at this address; one is both steps."""


class SignInPage(FormPage[AppCodeForm | SecondStepForm, _SignInState]):
    """Enter a code to finish a sign-in; or set up the second step, if the organisation requires it."""

    template = "login/two_step.html"

    def early_redirect(self) -> ResponseReturnValue | None:
        """Redirect a browser in which no sign-in waits for its second step."""
        if session.pending_sign_in() is not None:
            return None
        return redirect_signed_in(None) if session.current_customer() else redirect(url_for("login.login"))

    def load(self) -> _SignInState:
        value = session.pending_sign_in()
        if value is None:
            raise sign_ins.SignInEnded
        pending = sign_ins.find(current_context(), session.current_visitor(), value)
        set_up = _set_up_for(pending.contact_id, pending.email) if pending.must_set_up else None
        return _SignInState(value, set_up, can_use_passkey=find_party() is not None)

    def form_for(self, state: _SignInState) -> type[AppCodeForm] | type[SecondStepForm]:
        return AppCodeForm if state.set_up else SecondStepForm

    def prefill(self, form: AppCodeForm | SecondStepForm, state: _SignInState) -> None:
        if isinstance(form, SecondStepForm):
            form.recovery.data = request.args.get("recovery") and "y"

    def submit(self, form: AppCodeForm | SecondStepForm, state: _SignInState) -> ResponseReturnValue:
        context, visitor = current_context(), session.current_visitor()
        code, replacing = form.code.data or "", session.presented_identity()
        if isinstance(form, SecondStepForm):
            finished = pass_two_step(context, visitor, state.pending, code, replacing=replacing)
            sign_browser_in(finished.identity, remember=finished.remember, trust=form.trust.data)
            if finished.codes_left is not None:
                link = "two_step.settings", N_("Manage two-step verification")
                session.set_notice(_CODE_USED, link, left=finished.codes_left)
            return redirect_after_sign_in(session.requested_path())
        secret = state.set_up.secret if state.set_up else ""
        finished = set_up_at_sign_in(context, visitor, state.pending, secret, code, replacing=replacing)
        sign_browser_in(finished.identity, remember=finished.remember)
        onward = url_for("login.login", next=session.requested_path())
        # Rendered as if signed out: in a frame, the site around it would learn of the sign-in and might close the page.
        return render_template("login/recovery_codes.html", codes=finished.recovery_codes, onward=onward, customer=None)


@dataclass
class _SettingsState(PageState):
    security: Security
    set_up: SetUp | None = None
    """If two-step verification is off."""


class SettingsPage(FormPage[AppCodeForm | ConfirmForm, _SettingsState]):
    """Set up two-step verification; if it is on, show its state and the buttons that change it."""

    template = "account/two_step.html"

    def load(self) -> _SettingsState:
        """Require a signed-in customer; one who sees a secret must also have authenticated recently."""
        customer = session.signed_in_customer()
        security = get_security(current_context(), customer)
        if security.second_step:
            return _SettingsState(security)
        if current_organisation().require_two_step == TwoStepRule.NEVER:
            abort(404)
        require_recent_authentication(current_context(), customer)
        return _SettingsState(security, _set_up_for(customer.id, customer.email))

    def form_for(self, state: _SettingsState) -> type[AppCodeForm] | type[ConfirmForm]:
        return AppCodeForm if state.set_up else ConfirmForm

    def submit(self, form: AppCodeForm | ConfirmForm, state: _SettingsState) -> ResponseReturnValue:
        """Turn it on, and show the recovery codes once."""
        if state.set_up is None or not isinstance(form, AppCodeForm):
            return redirect(url_for("two_step.settings"))
        context, visitor, customer = current_context(), session.current_visitor(), session.signed_in_customer()
        on = set_up_two_step(context, visitor, customer, state.set_up.secret, form.code.data or "")
        if on is None:
            return redirect(url_for("two_step.settings"))
        session.delete_set_up()
        if on.identity is None:
            return session.redirect_to_sign_in()
        session.renew(on.identity)
        return _show_recovery_codes(on.recovery_codes, are_first=True)


class _ButtonPage(FormPage[ConfirmForm, _SettingsState]):
    """A button of the settings."""

    form_class = ConfirmForm
    template = "account/two_step.html"
    shown_on = "two_step.settings"

    def load(self) -> _SettingsState:
        return _SettingsState(get_security(current_context(), session.signed_in_customer()))


class RecoveryCodesPage(_ButtonPage):
    """Make new recovery codes, and show them once."""

    def submit(self, form: ConfirmForm, state: _SettingsState) -> ResponseReturnValue:
        codes = renew_recovery_codes(current_context(), session.current_visitor(), session.signed_in_customer())
        if codes:
            return _show_recovery_codes(codes, are_first=False)
        session.set_notice(_IS_OFF, is_done=False)  # turned off in another tab
        return redirect(url_for("account.security"))


class OffPage(_ButtonPage):
    """Turn two-step verification off."""

    def submit(self, form: ConfirmForm, state: _SettingsState) -> ResponseReturnValue:
        turn_off_two_step(current_context(), session.current_visitor(), session.signed_in_customer())
        session.set_notice(_IS_OFF)
        return redirect(url_for("account.security"))


class ForgetBrowsersPage(_ButtonPage):
    """Ask for a code in every browser again."""

    def submit(self, form: ConfirmForm, state: _SettingsState) -> ResponseReturnValue:
        end_trust(current_context(), session.current_visitor(), session.signed_in_customer())
        session.set_notice(N_("We'll ask for a code in every browser again."))
        return redirect(url_for("two_step.settings"))


def _show_recovery_codes(codes: Sequence[str], *, are_first: bool) -> str:
    session.current_customer()
    return render_template("account/recovery_codes.html", codes=codes, are_first=are_first)


pages.add_url_rule("/login/two-step", view_func=SignInPage.as_view("sign_in"))
pages.add_url_rule("/account/two-step", view_func=SettingsPage.as_view("settings"))
pages.add_url_rule("/account/two-step/recovery-codes", view_func=RecoveryCodesPage.as_view("recovery_codes"))
pages.add_url_rule("/account/two-step/off", view_func=OffPage.as_view("off"))
pages.add_url_rule("/account/two-step/forget-browsers", view_func=ForgetBrowsersPage.as_view("forget_browsers"))
