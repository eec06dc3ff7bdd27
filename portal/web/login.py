"""Signing in and out."""

from typing import Any

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.use_cases.log_in import RegistrationPending, log_in
from portal.domain.use_cases.log_out import log_out
from portal.web import session
from portal.web.embedding import note_sign_out
from portal.web.form_page import FormPage
from portal.web.forms import ConfirmForm, LoginForm, PortalForm
from portal.web.handover import arrive, go_on
from portal.web.redirects import own_path

pages = Blueprint("login", __name__)


@pages.get("/")
def home() -> Response:
    """The way in."""
    return redirect(url_for("account.home" if session.current_customer() else "login.login"))


class LoginPage(FormPage):
    """Sign in with a password."""

    form_class = LoginForm
    template = "login/login.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer who is signed in to where they wanted to go."""
        return go_on(request.values.get("next")) if session.current_customer() else None

    def filled(self, form: PortalForm) -> None:
        """Where to go on afterwards."""
        form["next"].data = own_path(request.args.get("next"))

    def submitted(self, form: LoginForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Sign in."""
        remember = form.remember.data
        try:
            begun = log_in(
                current_context(),
                session.current_visitor(),
                form.email.address,
                form.password.text,
                remember=remember,
                replacing=session.carried_identity(),
            )
        except RegistrationPending as pending:  # the password is right: this browser may have the email sent again
            session.remember_registration(pending.registration, form.email.address.email)
            shown["unverified"] = True
            raise
        return arrive(begun, remember=remember, after=form.next.data)


pages.add_url_rule("/login", view_func=LoginPage.as_view("login"))


class LogoutPage(FormPage):
    """Sign out. The page asks with one button; a customer who is not signed in is led to sign in."""

    form_class = ConfirmForm
    template = "login/logout.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead a customer who is not signed in, or not any more, to the page for it."""
        return None if session.current_customer() else redirect(url_for("login.login"))

    def submitted(self, form: ConfirmForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """End the identity on the server, and empty the cookie."""
        identity = session.carried_identity()
        if identity:  # first on the server: as long as it lives there, its browser must be able to end it
            log_out(current_context(), session.current_visitor(), identity)
        session.sign_out()
        note_sign_out()
        session.give_notice(N_("You're signed out."))
        return redirect(url_for("login.login"))


pages.add_url_rule("/logout", view_func=LogoutPage.as_view("logout"))
