"""Create an account, and confirm its address."""

from dataclasses import dataclass
from typing import Any

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
from portal.web import emailed_links, session
from portal.web.embedding import current_visit
from portal.web.form_page import CodeState, FormPage, FormT, PageState
from portal.web.forms import ChosenPasswordForm, CodeForm, RememberForm, ResendForm
from portal.web.handover import redirect_signed_in, sign_in_and_redirect
from portal.web.link_page import LinkPage, LinkState
from portal.web.organisation import current_organisation
from portal.web.password import check_typed_password
from portal.web.profile import Options, country_names
from portal.web.profile_forms import RegistrationForm, with_field_rules
from portal.web.redirects import return_target
from portal.web.saved_input import save_input

_CONFIRMED = N_("Your email address is already confirmed.")
_CONFIRMED_ELSEWHERE = N_("Your email address is confirmed. Sign in with the password you chose.")

pages = Blueprint("register", __name__)


@dataclass
class _RegistrationState(PageState):
    min_length: int
    countries: Options


class RegistrationPage(FormPage[RegistrationForm, _RegistrationState]):
    """Create an account."""

    form_class = RegistrationForm
    template = "register/register.html"

    def load(self) -> _RegistrationState:
        return _RegistrationState(
            min_length=current_context().rules.password_min_length,
            countries=country_names(current_language().locale),
        )

    def form_for(self, state: _RegistrationState) -> type[RegistrationForm]:
        """Return the form with the fields that the organisation asks for."""
        return with_field_rules(RegistrationForm, registration_rules(current_organisation().field_rules))

    def early_redirect(self) -> ResponseReturnValue | None:
        return redirect_signed_in(None) if session.current_customer() else None

    def prefill(self, form: RegistrationForm, state: _RegistrationState) -> None:
        form.ref.data = request.args.get("ref")

    def validate_more(self, form: RegistrationForm) -> None:
        check_typed_password(form, form.email.data, form.first_name.data, form.last_name.data)

    def submit(self, form: RegistrationForm, state: _RegistrationState) -> ResponseReturnValue:
        """Store the registration and queue an email; the response is the same for every address."""
        address = form.email.address
        registration_request = RegistrationRequest(
            address=address,
            password=form.password.text,
            **form.details(),
            referral=form.referral,
            return_url=current_visit().return_url,
        )
        emailed_links.remember_registration(
            register(current_context(), session.current_visitor(), registration_request), address.email
        )
        save_input(request.path, request.form)  # to fill in the form again for another address
        return redirect(url_for("register.code"))


pages.add_url_rule("/register", view_func=RegistrationPage.as_view("register"))


@dataclass
class _CodeState(CodeState):
    here: str
    """The page that the language switch returns to; ResendPage has the same."""


class _PendingPage(FormPage[FormT, _CodeState]):
    """The page of a pending registration, with the forms of CodePage and ResendPage."""

    template = "register/code.html"
    keeps_saved_input = True  # the registration, to fill it in again for another address

    def early_redirect(self) -> ResponseReturnValue | None:
        """Redirect if the address was confirmed in another browser, or if a signed-in browser has no registration."""
        registration, customer = emailed_links.remembered_registration(), session.current_customer()
        if registration is None:
            return redirect_signed_in(None) if customer else None
        if not is_confirmed(current_context(), session.current_visitor(), registration):
            return None
        session.set_notice(_CONFIRMED if customer else _CONFIRMED_ELSEWHERE)
        return redirect(url_for("account.home" if customer else "login.login"))

    def post(self, *args: Any, **kwargs: Any) -> ResponseReturnValue:
        """Submit the form, unless the address was confirmed in another browser."""
        return early if (early := self.early_redirect()) is not None else super().post(*args, **kwargs)

    def load(self) -> _CodeState:
        registration = emailed_links.remembered_registration()
        if registration is not None:  # adds the origin to the page's policy
            return_target(return_url_of(current_context(), session.current_visitor(), registration))
        return _CodeState(
            email=emailed_links.mailed_to(Purpose.VERIFY),
            requested_here=registration is not None,
            here=url_for("register.code"),
        )


class CodePage(_PendingPage[CodeForm]):
    """Enter the code of the email."""

    form_class = CodeForm

    def submit(self, form: CodeForm, state: _CodeState) -> ResponseReturnValue:
        confirmation = get_confirmation_by_code(
            current_context(), session.current_visitor(), emailed_links.remembered_registration(), form.code.data or ""
        )
        return _confirm(confirmation, None, remember=form.remember.data)


class ResendPage(_PendingPage[ResendForm]):
    """Have the email sent again."""

    form_class = ResendForm
    shown_on = "register.code"

    def submit(self, form: ResendForm, state: _CodeState) -> ResponseReturnValue:
        """Queue the email again; the response is the same for every address."""
        registration = emailed_links.remembered_registration()
        if registration is None:
            return redirect(url_for("register.register"))
        if resend(current_context(), session.current_visitor(), registration) is None:
            return redirect(url_for("register.register"))
        session.set_notice(N_("We've sent the email again."))
        return redirect(url_for("register.code"))


pages.add_url_rule("/register/code", view_func=CodePage.as_view("code"))
pages.add_url_rule("/register/resend", view_func=ResendPage.as_view("resend"))


@dataclass
class _VerifyState(LinkState):
    confirmation: Confirmation
    same_browser: bool
    """Whether this browser made the registration; another one must enter the password."""


class VerifyPage(LinkPage[RememberForm, _VerifyState]):
    """Confirm an address with a button; mail scanners open links, but press no button."""

    template = "register/verify.html"
    purpose = Purpose.VERIFY
    request_endpoint = "register.code"
    used_notice = _CONFIRMED

    def load(self, token: str) -> _VerifyState:
        confirmation = get_confirmation(
            current_context(), session.current_visitor(), token, registration=emailed_links.remembered_registration()
        )
        return_target(confirmation.return_url)  # adds its origin to the page's policy
        same_browser = not confirmation.needs_password
        return _VerifyState(token, confirmation.email, confirmation.link, confirmation, same_browser)

    def form_for(self, state: _VerifyState) -> type[RememberForm]:
        return RememberForm if state.same_browser else ChosenPasswordForm

    def submit(self, form: RememberForm, state: _VerifyState) -> ResponseReturnValue:
        password = form.password.text if isinstance(form, ChosenPasswordForm) else None
        return _confirm(state.confirmation, password, remember=form.remember.data)


def _confirm(confirmation: Confirmation, password: str | None, *, remember: bool) -> ResponseReturnValue:
    begun = confirm(
        current_context(),
        session.current_visitor(),
        confirmation,
        password,
        remember=remember,
        replacing=session.presented_identity(),
    )
    response = sign_in_and_redirect(begun, remember=remember, after=None, return_url=confirmation.return_url)
    emailed_links.remember_used_link(confirmation.link.public_id)
    if response.location == url_for("account.home"):
        session.set_notice(N_("Your email address is confirmed. Welcome!"))
    return response


pages.add_url_rule("/register/verify/<token>", view_func=VerifyPage.as_view("verify"))
pages.add_url_rule("/register/confirm", view_func=VerifyPage.as_view("verify_opened"), methods=["GET"])
