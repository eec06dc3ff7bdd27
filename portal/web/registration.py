"""Creating an account, and confirming its address."""

from typing import Any

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.assembly import current_context
from portal.domain.confirmation import Confirmation, confirm, look_at_confirmation
from portal.domain.errors import N_
from portal.domain.registration import Application, register, resend
from portal.languages import translate
from portal.web import session
from portal.web.form_page import FormPage
from portal.web.forms import ChosenPasswordForm, ConfirmForm, PortalForm, RegistrationForm

pages = Blueprint("register", __name__)


class RegistrationPage(FormPage):
    """Create an account."""

    form_class = RegistrationForm
    template = "register/register.html"

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """The rule for passwords is told before it is broken."""
        return {"min_length": current_context().rules.password_min_length}

    def filled(self, form: PortalForm) -> None:
        """Who sent them."""
        form["ref"].data = request.args.get("ref")

    def submitted(self, form: RegistrationForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Store what was typed and have a mail sent; the answer is the same for every address."""
        address = form.email.address
        application = Application(
            address=address,
            password=form.password.text,
            first_name=form.first_name.data,
            last_name=form.last_name.data,
            phone=form.phone.data,
            company_name=form.company_name.data,
            newsletter=form.newsletter.data,
            referral=form.referral,
        )
        session.remember_registration(
            register(current_context(), session.current_visitor(), application), address.email
        )
        return redirect(url_for("register.sent"))


pages.add_url_rule("/register", view_func=RegistrationPage.as_view("register"))


class SentPage(FormPage):
    """What to do now, and a button to have the mail sent once more."""

    form_class = ConfirmForm
    template = "register/sent.html"

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """The address as it was typed."""
        return {"email": session.mailed_to()}

    def submitted(self, form: ConfirmForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Send it again; the answer is the same for every address."""
        registration = session.remembered_registration()
        if registration is None:
            return redirect(url_for("register.register"))
        resend(current_context(), session.current_visitor(), registration)
        session.give_notice(translate(N_("We have sent the mail again.")))
        return redirect(url_for("register.sent"))


pages.add_url_rule("/register/sent", view_func=SentPage.as_view("sent"), methods=["GET"])
pages.add_url_rule("/register/resend", view_func=SentPage.as_view("resend"), methods=["POST"])


class VerifyPage(FormPage):
    """Confirm an address: looking never confirms it, only the button does."""

    template = "register/verify.html"

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """What the link would confirm, and whether the password must be typed again for it."""
        confirmation = look_at_confirmation(
            current_context(),
            session.current_visitor(),
            arguments["token"],
            registration=session.remembered_registration(),
        )
        return {
            "token": arguments["token"],
            "email": confirmation.email,
            "same_browser": not confirmation.needs_password,
            "confirmation": confirmation,
        }

    def form_for(self, shown: dict[str, Any]) -> type[PortalForm]:
        """A button in the browser that registered, the password elsewhere."""
        return ConfirmForm if shown["same_browser"] else ChosenPasswordForm

    def submitted(self, form: PortalForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Confirm and sign in."""
        confirmation: Confirmation = shown["confirmation"]
        password = form["password"].data if confirmation.needs_password else None
        identity = confirm(
            current_context(), session.current_visitor(), confirmation, password, replacing=session.carried_identity()
        )
        session.sign_in(identity, kept=False)
        session.give_notice(translate(N_("Your address is confirmed. Welcome!")))
        return redirect(url_for("account.home"))


pages.add_url_rule("/register/verify/<token>", view_func=VerifyPage.as_view("verify"))
