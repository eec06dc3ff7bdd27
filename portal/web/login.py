"""Sign in with a password or a passkey, and sign out."""

from dataclasses import dataclass

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from portal.app import current_context
from portal.domain.errors import Failure, Refused
from portal.domain.messages import N_, NN_
from portal.domain.passkey_check import UnknownPasskey
from portal.domain.relying_party import RelyingParty
from portal.domain.use_cases.log_in import RegistrationPending, log_in
from portal.domain.use_cases.log_in_by_passkey import log_in_by_passkey, request_passkey
from portal.domain.use_cases.log_out import log_out
from portal.extensions import form_rate
from portal.web import emailed_links, session
from portal.web.embedding import announce_sign_out
from portal.web.form_page import FormPage, FormT, PageState, StatelessFormPage
from portal.web.forms import ConfirmForm, LoginForm, PasskeySignInForm
from portal.web.handover import redirect_signed_in, sign_in_and_redirect
from portal.web.passkeys import credential_id_in, find_party, get_party, options_for_script, response_in

_OR_BY_EMAIL = NN_(
    "Too many attempts. Try again in %(num)d minute. You can also sign in by email.",
    "Too many attempts. Try again in %(num)d minutes. You can also sign in by email.",
)

pages = Blueprint("login", __name__)


@pages.get("/")
def home() -> Response:
    """Redirect to the account, or to sign in."""
    return redirect(url_for("account.home" if session.current_customer() else "login.login"))


@dataclass
class _LoginState(PageState):
    party: RelyingParty | None
    """None where passkeys cannot be used."""
    unverified: bool = False
    """Whether the password is right, but the address is not confirmed yet."""
    unknown_passkey: str | None = None
    """The id of an unknown passkey, which the browser can forget."""


class _LoginPage(FormPage[FormT, _LoginState]):
    """The page with all ways to sign in."""

    template = "login/login.html"

    def load(self) -> _LoginState:
        return _LoginState(find_party())

    def early_redirect(self) -> ResponseReturnValue | None:
        return redirect_signed_in(request.values.get("next")) if session.current_customer() else None


class LoginPage(_LoginPage[LoginForm]):
    """Sign in with a password."""

    form_class = LoginForm

    def submit(self, form: LoginForm, state: _LoginState) -> ResponseReturnValue:
        remember = form.remember.data
        try:
            begun = log_in(
                current_context(),
                session.current_visitor(),
                form.email.address,
                form.password.text,
                remember=remember,
                replacing=session.presented_identity(),
            )
        except RegistrationPending as pending:  # the password is right: this browser may have the email sent again
            emailed_links.remember_registration(pending.registration, form.email.address.email)
            state.unverified = True
            raise
        except Refused as refusal:
            if refusal.failure is Failure.TOO_MANY_LOGINS:
                raise Refused(refusal.failure, detail=_OR_BY_EMAIL, retry_after=refusal.retry_after) from None
            raise
        return sign_in_and_redirect(begun, remember=remember, after=form.next.data)


class PasskeyPage(_LoginPage[PasskeySignInForm]):
    """Sign in with a passkey."""

    form_class = PasskeySignInForm
    shown_on = "login.login"

    def submit(self, form: PasskeySignInForm, state: _LoginState) -> ResponseReturnValue:
        remember = form.remember.data
        try:
            begun = log_in_by_passkey(
                current_context(),
                session.current_visitor(),
                response_in(form),
                remember=remember,
                replacing=session.presented_identity(),
            )
        except UnknownPasskey:
            state.unknown_passkey = credential_id_in(form)
            raise
        return sign_in_and_redirect(begun, remember=remember, after=form.next.data)


@pages.post("/login/passkey/options")
@form_rate
def passkey_options() -> ResponseReturnValue:
    """Return what the page's script asks the browser for (static/passkeys.js)."""
    return options_for_script(request_passkey(current_context(), get_party()))


pages.add_url_rule("/login", view_func=LoginPage.as_view("login"))
pages.add_url_rule("/login/passkey", view_func=PasskeyPage.as_view("passkey"))


class LogoutPage(StatelessFormPage[ConfirmForm]):
    """Sign out with a button; a visitor who is not signed in is redirected to sign in."""

    form_class = ConfirmForm
    template = "login/logout.html"

    def early_redirect(self) -> ResponseReturnValue | None:
        return None if session.current_customer() else redirect(url_for("login.login"))

    def submit(self, form: ConfirmForm, state: PageState) -> ResponseReturnValue:
        identity = session.presented_identity()
        if identity:  # first on the server: if that fails, the browser must keep the cookie to try again
            log_out(current_context(), session.current_visitor(), identity)
        session.sign_out()
        announce_sign_out()
        session.set_notice(N_("You're signed out."))
        return redirect(url_for("login.login"))


pages.add_url_rule("/logout", view_func=LogoutPage.as_view("logout"))
