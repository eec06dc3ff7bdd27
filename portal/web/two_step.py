"""Two-step verification: the second step of signing in, and its settings in the account."""

from collections.abc import Sequence
from typing import Any

import segno
from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from portal.app import current_context
from portal.domain import sign_ins
from portal.domain.messages import N_
from portal.domain.organisations import TwoStepRule
from portal.domain.recent_authentication import require_recent_authentication
from portal.domain.use_cases.end_trust import end_trust
from portal.domain.use_cases.get_security import get_security
from portal.domain.use_cases.pass_two_step import pass_two_step, set_up_at_sign_in
from portal.domain.use_cases.renew_recovery_codes import renew_recovery_codes
from portal.domain.use_cases.set_up_two_step import SetUp, begin_set_up, set_up_two_step
from portal.domain.use_cases.turn_off_two_step import turn_off_two_step
from portal.web import session
from portal.web.form_page import FormPage
from portal.web.forms import AppCodeForm, ConfirmForm, PortalForm, SecondStepForm
from portal.web.handover import go_on, lead_on, sign_browser_in
from portal.web.organisation import current_organisation

pages = Blueprint("two_step", __name__)


@pages.app_template_filter()
def qr_code(uri: str) -> Markup:
    """Draw a QR code as SVG; its colours are the stylesheet's."""
    drawn: str = segno.make(uri, error="m", micro=False).svg_inline(
        svgclass="qr", lineclass=None, omitsize=True, border=4
    )
    return Markup(drawn)  # noqa: S704 - segno writes shapes only


def _set_up_for(contact_id: int, email: str | None) -> SetUp:
    """Begin a set-up, or go on with the one that this browser has begun."""
    set_up = begin_set_up(current_context(), session.current_visitor(), contact_id, email, sealed=session.kept_set_up())
    if set_up.sealed != session.kept_set_up():
        session.keep_set_up(set_up.sealed)
    return set_up


class SignInPage(FormPage):
    """Type a code to finish signing in; or set the second step up, where the organisation requires one."""

    template = "login/two_step.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a browser on in which no sign-in waits for its second step."""
        if session.pending_sign_in() is not None:
            return None
        return go_on(None) if session.current_customer() else redirect(url_for("login.login"))

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """Whether there is a second step to pass, or one to set up."""
        value = session.pending_sign_in()
        if value is None:
            raise sign_ins.SignInEnded
        pending = sign_ins.find(current_context(), session.current_visitor(), value)
        set_up = _set_up_for(pending.contact_id, pending.email) if pending.must_set_up else None
        return {"value": value, "set_up": set_up, "email": pending.email}

    def form_for(self, shown: dict[str, Any]) -> type[PortalForm]:
        """What is typed is a code in both."""
        return AppCodeForm if shown["set_up"] else SecondStepForm

    def filled(self, form: PortalForm) -> None:
        """Whether a recovery code is asked for."""
        if "recovery" in form:
            form["recovery"].data = request.args.get("recovery") and "y"

    def submitted(self, form: AppCodeForm | SecondStepForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Sign in."""
        context, visitor, value = current_context(), session.current_visitor(), shown["value"]
        code, replacing = form.code.data or "", session.carried_identity()
        if isinstance(form, SecondStepForm):
            finished = pass_two_step(context, visitor, value, code, replacing=replacing)
            sign_browser_in(finished.identity, remember=finished.remember, trust=form.trust.data)
            return lead_on(session.wanted_path())
        set_up: SetUp = shown["set_up"]
        finished = set_up_at_sign_in(context, visitor, value, set_up.secret, code, replacing=replacing)
        sign_browser_in(finished.identity, remember=finished.remember)
        onward = url_for("login.login", next=session.wanted_path())
        # Shown as to a stranger: in a frame the site around it would hear of the sign-in, and might close the page.
        return render_template("login/recovery_codes.html", codes=finished.recovery_codes, onward=onward, customer=None)


class SettingsPage(FormPage):
    """Set two-step verification up; or see how it stands, where it is on."""

    template = "account/two_step.html"

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """The secret for the app is shown only to a customer who proved lately to be the one."""
        customer = session.signed_in_customer()
        security = get_security(current_context(), customer)
        if security.second_step:
            return {"security": security, "set_up": None}
        if current_organisation().require_two_step == TwoStepRule.NEVER:
            abort(404)
        require_recent_authentication(current_context(), customer)
        return {"security": security, "set_up": _set_up_for(customer.id, customer.email)}

    def form_for(self, shown: dict[str, Any]) -> type[PortalForm]:
        """A code to type while it is set up; else only buttons."""
        return AppCodeForm if shown["set_up"] else ConfirmForm

    def submitted(self, form: Any, shown: dict[str, Any]) -> ResponseReturnValue:
        """Turn it on, and show the recovery codes this once."""
        set_up: SetUp | None = shown["set_up"]
        customer = session.signed_in_customer()
        on = set_up and set_up_two_step(
            current_context(), session.current_visitor(), customer, set_up.secret, form.code.data or ""
        )
        if not on:
            return redirect(url_for("two_step.settings"))
        session.forget_set_up()
        if on.identity is None:
            return session.to_sign_in()
        session.renew(on.identity)
        return _recovery_codes(on.recovery_codes)


class _ButtonPage(SettingsPage):
    """A button of the settings; the page itself is only seen when the form that was sent had become stale."""

    def get(self, **_arguments: Any) -> ResponseReturnValue:
        """Lead to the settings, where the button is."""
        return redirect(url_for("two_step.settings"))

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """How it stands."""
        return {"security": get_security(current_context(), session.signed_in_customer()), "set_up": None}


class RecoveryCodesPage(_ButtonPage):
    """Make new recovery codes."""

    def submitted(self, form: PortalForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Show them this once; the old ones end."""
        codes = renew_recovery_codes(current_context(), session.current_visitor(), session.signed_in_customer())
        return _recovery_codes(codes) if codes else redirect(url_for("two_step.settings"))


class OffPage(_ButtonPage):
    """Turn two-step verification off."""

    def submitted(self, form: PortalForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Delete the second step."""
        turn_off_two_step(current_context(), session.current_visitor(), session.signed_in_customer())
        session.give_notice(N_("Two-step verification is off."))
        return redirect(url_for("account.security"))


class ForgetBrowsersPage(_ButtonPage):
    """Ask for a code in every browser again."""

    def submitted(self, form: PortalForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """End the trust in them."""
        end_trust(current_context(), session.current_visitor(), session.signed_in_customer())
        session.give_notice(N_("We'll ask for a code in every browser again."))
        return redirect(url_for("two_step.settings"))


def _recovery_codes(codes: Sequence[str]) -> str:
    session.current_customer()
    return render_template("account/recovery_codes.html", codes=codes)


pages.add_url_rule("/login/two-step", view_func=SignInPage.as_view("sign_in"))
pages.add_url_rule("/account/two-step", view_func=SettingsPage.as_view("settings"))
pages.add_url_rule("/account/two-step/recovery-codes", view_func=RecoveryCodesPage.as_view("recovery_codes"))
pages.add_url_rule("/account/two-step/off", view_func=OffPage.as_view("off"))
pages.add_url_rule("/account/two-step/forget-browsers", view_func=ForgetBrowsersPage.as_view("forget_browsers"))
