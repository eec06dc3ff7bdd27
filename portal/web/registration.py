"""Creating an account, and confirming its address."""

from typing import Any, ClassVar

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.field_rules import registration_rules
from portal.domain.messages import N_
from portal.domain.tokens import Purpose
from portal.domain.use_cases.confirm_registration import (
    Confirmation,
    confirm,
    get_confirmation,
    get_confirmation_by_code,
)
from portal.domain.use_cases.register import RegistrationRequest, is_confirmed, register, return_url_of
from portal.domain.use_cases.resend_confirmation import resend
from portal.i18n import current_language
from portal.web import session
from portal.web.embedding import current_visit
from portal.web.form_page import FormPage
from portal.web.forms import ChosenPasswordForm, CodeForm, PortalForm, RememberForm, ResendForm
from portal.web.handover import arrive, go_on
from portal.web.link_page import LinkPage
from portal.web.organisation import current_organisation
from portal.web.password import judge_typed_password
from portal.web.profile import country_names
from portal.web.profile_forms import RegistrationForm, asking
from portal.web.redirects import return_target

_CONFIRMED = N_("Your email address is already confirmed.")
_CONFIRMED_ELSEWHERE = N_("Your email address is confirmed. Sign in with the password you chose.")

pages = Blueprint("register", __name__)


class RegistrationPage(FormPage):
    """Create an account."""

    form_class = RegistrationForm
    template = "register/register.html"

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """The rule for passwords is told before it is broken."""
        return {
            "min_length": current_context().rules.password_min_length,
            "countries": country_names(current_language().locale),
        }

    def form_for(self, shown: dict[str, Any]) -> type[PortalForm]:
        """With the fields that the organisation asks for."""
        return asking(RegistrationForm, registration_rules(current_organisation().field_rules))

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer who is signed in to the account, or back to the site that they came from."""
        return go_on(None) if session.current_customer() else None

    def filled(self, form: PortalForm) -> None:
        """Who sent them."""
        form["ref"].data = request.args.get("ref")

    def judge(self, form: RegistrationForm) -> None:
        """Judge the password beside what else is wrong."""
        judge_typed_password(form, form.email.data, form.first_name.data, form.last_name.data)

    def submitted(self, form: RegistrationForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Store what was typed and have a mail sent; the answer is the same for every address."""
        address = form.email.address
        application = RegistrationRequest(
            address=address,
            password=form.password.text,
            **form.details(),
            referral=form.referral,
            return_url=current_visit().return_url,
        )
        session.remember_registration(
            register(current_context(), session.current_visitor(), application), address.email
        )
        session.keep_typed(request.path, request.form)  # for who has to use another address
        return redirect(url_for("register.code"))


pages.add_url_rule("/register", view_func=RegistrationPage.as_view("register"))


class CodePage(FormPage):
    """What to do now: type the code of the mail, or open its link."""

    form_class: ClassVar[type[PortalForm]] = CodeForm
    template = "register/code.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer on whose address is confirmed: to the account in a browser that is signed in."""
        registration, customer = session.remembered_registration(), session.current_customer()
        if registration is None:
            return go_on(None) if customer else None
        if not is_confirmed(current_context(), session.current_visitor(), registration):
            return None
        session.give_notice(_CONFIRMED if customer else _CONFIRMED_ELSEWHERE)
        return redirect(url_for("account.home" if customer else "login.login"))

    def post(self, **arguments: Any) -> ResponseReturnValue:
        """Confirm; where that has happened in another browser there is nothing left to type."""
        return onward if (onward := self.onward()) is not None else super().post(**arguments)

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """The address as it was typed; whoever changes the language comes back here, also from ResendPage."""
        registration = session.remembered_registration()
        if registration is not None:
            return_target(return_url_of(current_context(), session.current_visitor(), registration))
        return {
            "email": session.mailed_to(),
            "requested_here": registration is not None,
            "here": url_for("register.code"),
        }

    def submitted(self, form: CodeForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Confirm and sign in."""
        confirmation = get_confirmation_by_code(
            current_context(), session.current_visitor(), session.remembered_registration(), form.code.data or ""
        )
        return _confirm(confirmation, None, remember=form.remember.data)


class ResendPage(CodePage):
    """Have the mail sent once more; shows the page with the code."""

    form_class = ResendForm

    def get(self, **_arguments: Any) -> ResponseReturnValue:
        """Lead to the page with the button."""
        return redirect(url_for("register.code"))

    def submitted(self, form: PortalForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Send it again; the answer is the same for every address."""
        registration = session.remembered_registration()
        if registration is None:
            return redirect(url_for("register.register"))
        if resend(current_context(), session.current_visitor(), registration) is None:
            return redirect(url_for("register.register"))
        session.give_notice(N_("We've sent the email again."))
        return redirect(url_for("register.code"))


pages.add_url_rule("/register/code", view_func=CodePage.as_view("code"))
pages.add_url_rule("/register/resend", view_func=ResendPage.as_view("resend"))


class VerifyPage(LinkPage):
    """Confirm an address: looking never confirms it, only the button does."""

    template = "register/verify.html"
    purpose = Purpose.VERIFY
    beginning = "register.code"
    told_again = _CONFIRMED

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """What the link would confirm, and whether the password must be typed again for it."""
        confirmation = get_confirmation(
            current_context(),
            session.current_visitor(),
            arguments["token"],
            registration=session.remembered_registration(),
        )
        return_target(confirmation.return_url)
        return {
            "token": arguments["token"],
            "email": confirmation.email,
            "same_browser": not confirmation.needs_password,
            "confirmation": confirmation,
        }

    def form_for(self, shown: dict[str, Any]) -> type[PortalForm]:
        """A button in the browser that registered, the password elsewhere."""
        return RememberForm if shown["same_browser"] else ChosenPasswordForm

    def submitted(self, form: PortalForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Confirm and sign in."""
        confirmation: Confirmation = shown["confirmation"]
        return _confirm(
            confirmation, form["password"].data if confirmation.needs_password else None, remember=form["remember"].data
        )


def _confirm(confirmation: Confirmation, password: str | None, *, remember: bool) -> ResponseReturnValue:
    begun = confirm(
        current_context(),
        session.current_visitor(),
        confirmation,
        password,
        remember=remember,
        replacing=session.carried_identity(),
    )
    onward = arrive(begun, remember=remember, after=None, return_url=confirmation.return_url)
    session.remember_used_link(confirmation.link.public_id)
    if onward.location == url_for("account.home"):
        session.give_notice(N_("Your email address is confirmed. Welcome!"))
    return onward


pages.add_url_rule("/register/verify/<token>", view_func=VerifyPage.as_view("verify"))
pages.add_url_rule("/register/confirm", view_func=VerifyPage.as_view("verify_opened"), methods=["GET"])
