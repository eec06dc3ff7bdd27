"""Changing the email address: the form, the code, and the links that confirm and undo it."""

from typing import Any, ClassVar

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.one_time_links import OpenLink
from portal.domain.tokens import Purpose
from portal.domain.use_cases.confirm_address_change import (
    confirm_address_change,
    get_change_link_by_code,
    get_requested_change,
)
from portal.domain.use_cases.request_address_change import (
    cancel_address_change,
    find_pending_change,
    request_address_change,
    was_changed_in_session,
)
from portal.domain.use_cases.undo_address_change import get_undo_link, undo_address_change
from portal.web import session
from portal.web.form_page import FormPage
from portal.web.forms import ChangeCodeForm, ConfirmForm, NewAddressForm, PortalForm
from portal.web.link_page import LinkPage

_CHANGED = N_("Your email address is changed. Use it from now on when you sign in.")
_UNDONE = N_("Your email address is back and everyone was signed out. Now set a new password.")

pages = Blueprint("address_change", __name__, url_prefix="/account/email")


class RequestPage(FormPage):
    """Type the new address."""

    form_class: ClassVar[type[PortalForm]] = NewAddressForm
    template = "account/change_email.html"

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """What is waiting for its confirmation already."""
        return {"pending": find_pending_change(current_context(), session.signed_in_customer())}

    def submitted(self, form: Any, shown: dict[str, Any]) -> ResponseReturnValue:
        """Have mails sent; the answer is the same for every address."""
        request_address_change(
            current_context(), session.current_visitor(), session.signed_in_customer(), form.email.address
        )
        return redirect(url_for("address_change.code"))


class CancelPage(RequestPage):
    """Let the address be as it is; the page itself is only seen when the form that was sent had become stale."""

    form_class = ConfirmForm

    def get(self, **_arguments: Any) -> ResponseReturnValue:
        """Lead to the page with the button."""
        return redirect(url_for("address_change.request"))

    def submitted(self, form: Any, shown: dict[str, Any]) -> ResponseReturnValue:
        """End what was asked for."""
        cancel_address_change(current_context(), session.current_visitor(), session.signed_in_customer())
        session.give_notice(N_("The change is cancelled. Your email address stays the same."))
        return redirect(url_for("account.home"))


class CodePage(FormPage):
    """Type the code, in the session that asked."""

    form_class = ChangeCodeForm
    template = "account/change_email_code.html"

    def onward(self) -> ResponseReturnValue | None:
        """Lead on a customer who waits for no confirmation any more, or has asked for nothing yet."""
        context, customer = current_context(), session.signed_in_customer()
        if find_pending_change(context, customer) is not None:
            return None
        if not was_changed_in_session(context, customer):
            return redirect(url_for("address_change.request"))
        session.give_notice(_CHANGED)
        return redirect(url_for("account.home"))

    def post(self, **arguments: Any) -> ResponseReturnValue:
        """Confirm; where that has happened in another browser there is nothing left to type."""
        return onward if (onward := self.onward()) is not None else super().post(**arguments)

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """The new address."""
        pending = find_pending_change(current_context(), session.signed_in_customer())
        return {
            "email": pending and pending.email,
            "requested_here": pending is not None and pending.requested_here,
        }

    def submitted(self, form: ChangeCodeForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Change the address."""
        context, visitor = current_context(), session.current_visitor()
        return _confirm(get_change_link_by_code(context, visitor, session.signed_in_customer(), form.code.data or ""))


class ConfirmPage(LinkPage):
    """What the address is changed to, and a button."""

    form_class = ConfirmForm
    template = "account/confirm_email.html"
    purpose = Purpose.ADDRESS_CHANGE
    beginning = "address_change.request"
    told_again = N_("Your email address has been changed with this link already.")

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """The new address alone: a typo may have led the mail to a stranger."""
        requested = get_requested_change(current_context(), session.current_visitor(), arguments["token"])
        return {"token": arguments["token"], "email": requested.email, "link": requested.link}

    def submitted(self, form: ConfirmForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Change the address."""
        onward = _confirm(shown["link"])
        session.remember_address(shown["email"])  # to sign in with
        return onward


def _confirm(link: OpenLink) -> ResponseReturnValue:
    confirm_address_change(current_context(), session.current_visitor(), link)
    session.remember_used_link(link.public_id)
    session.give_notice(_CHANGED)
    return redirect(url_for("account.home" if session.current_customer() else "login.login"))


class UndoPage(LinkPage):
    """Which address comes back, and a button."""

    form_class = ConfirmForm
    template = "account/undo_email.html"
    purpose = Purpose.ADDRESS_UNDO
    beginning = "account.home"
    told_again = N_("The change has been undone with this link already.")

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """The former address."""
        link = get_undo_link(current_context(), session.current_visitor(), arguments["token"])
        return {"token": arguments["token"], "email": link.email, "link": link}

    def submitted(self, form: ConfirmForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Undo the change, and lead on to a new password."""
        link: OpenLink = shown["link"]
        customer = session.current_customer()
        reset = undo_address_change(current_context(), session.current_visitor(), link)
        if customer and customer.id == link.contact_id:
            session.sign_out()
        session.remember_used_link(link.public_id)
        session.hold_link(Purpose.RESET, reset)
        session.give_notice(_UNDONE)
        return redirect(url_for("password.set_new_opened"))


pages.add_url_rule("", view_func=RequestPage.as_view("request"))
pages.add_url_rule("/cancel", view_func=CancelPage.as_view("cancel"))
pages.add_url_rule("/code", view_func=CodePage.as_view("code"))
pages.add_url_rule("/confirm/<token>", view_func=ConfirmPage.as_view("confirm"))
pages.add_url_rule("/confirm", view_func=ConfirmPage.as_view("confirm_opened"), methods=["GET"])
pages.add_url_rule("/undo/<token>", view_func=UndoPage.as_view("undo"))
pages.add_url_rule("/undo", view_func=UndoPage.as_view("undo_opened"), methods=["GET"])
