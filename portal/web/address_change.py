"""Changing the email address: the form, the code, and the links that confirm and undo it."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.address_changes import PendingChange
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
from portal.web import emailed_links, session
from portal.web.form_page import CodeState, FormPage, FormT, PageState
from portal.web.forms import ChangeCodeForm, ConfirmForm, NewAddressForm
from portal.web.link_page import LinkPage, LinkState
from portal.web.saved_input import remember_address

_CHANGED = N_("Your email address is changed. Use it from now on when you sign in.")
_NONE_WAITS = N_("There's no new email address to confirm here.")
_UNDONE = N_("Your email address is back, and everyone was signed out. Now set a new password.")

pages = Blueprint("address_change", __name__, url_prefix="/account/email")


@dataclass
class _RequestState(PageState):
    pending: PendingChange | None


class _ChangePage(FormPage[FormT, _RequestState]):
    """The page of the form for a new address, and of the button that cancels a change."""

    template = "account/change_email.html"

    def load(self) -> _RequestState:
        return _RequestState(find_pending_change(current_context(), session.signed_in_customer()))


class RequestPage(_ChangePage[NewAddressForm]):
    """Request a change."""

    form_class = NewAddressForm

    def submit(self, form: NewAddressForm, state: _RequestState) -> ResponseReturnValue:
        """Queue the emails; the response is the same for every address."""
        request_address_change(
            current_context(), session.current_visitor(), session.signed_in_customer(), form.email.address
        )
        return redirect(url_for("address_change.code"))


class CancelPage(_ChangePage[ConfirmForm]):
    """Cancel a change."""

    form_class = ConfirmForm
    shown_on = "address_change.request"

    def submit(self, form: ConfirmForm, state: _RequestState) -> ResponseReturnValue:
        cancel_address_change(current_context(), session.current_visitor(), session.signed_in_customer())
        session.set_notice(N_("The change is cancelled. Your email address stays the same."))
        return redirect(url_for("account.home"))


class CodePage(FormPage[ChangeCodeForm, CodeState]):
    """Enter the code, in the session that requested the change."""

    form_class = ChangeCodeForm
    template = "account/change_email_code.html"

    def early_redirect(self) -> ResponseReturnValue | None:
        """Redirect a customer who has no change to confirm: it is confirmed already, or none was requested."""
        context, customer = current_context(), session.signed_in_customer()
        if find_pending_change(context, customer) is not None:
            return None
        if not was_changed_in_session(context, customer):
            session.set_notice(_NONE_WAITS, is_done=False)
            return redirect(url_for("address_change.request"))
        session.set_notice(_CHANGED)
        return redirect(url_for("account.home"))

    def post(self, **arguments: Any) -> ResponseReturnValue:
        """Confirm the change, unless another browser has confirmed it by the link."""
        return early if (early := self.early_redirect()) is not None else super().post(**arguments)

    def load(self) -> CodeState:
        pending = find_pending_change(current_context(), session.signed_in_customer())
        return CodeState(pending.email if pending else None, pending is not None and pending.requested_here)

    def submit(self, form: ChangeCodeForm, state: CodeState) -> ResponseReturnValue:
        context, visitor = current_context(), session.current_visitor()
        return _confirm(get_change_link_by_code(context, visitor, session.signed_in_customer(), form.code.data or ""))


class ConfirmPage(LinkPage[ConfirmForm, LinkState]):
    """Show the new address and a button that confirms it. The old one is not shown: a typo may have led the email to a
    stranger.
    """

    form_class = ConfirmForm
    template = "account/confirm_email.html"
    purpose = Purpose.ADDRESS_CHANGE
    request_endpoint = "address_change.request"
    used_notice = N_("Your email address is already changed.")

    def load(self, token: str) -> LinkState:
        requested = get_requested_change(current_context(), session.current_visitor(), token)
        return LinkState(token, requested.email, requested.link)

    def submit(self, form: ConfirmForm, state: LinkState) -> ResponseReturnValue:
        response = _confirm(state.link)
        remember_address(state.email)  # to sign in with
        return response


def _confirm(link: OpenLink) -> ResponseReturnValue:
    confirm_address_change(current_context(), session.current_visitor(), link)
    emailed_links.remember_used_link(link.public_id)
    session.set_notice(_CHANGED)
    return redirect(url_for("account.home" if session.current_customer() else "login.login"))


class UndoPage(LinkPage[ConfirmForm, LinkState]):
    """Show the former address and a button that brings it back."""

    form_class = ConfirmForm
    template = "account/undo_email.html"
    purpose = Purpose.ADDRESS_UNDO
    request_endpoint = "account.home"
    used_notice = N_("The change has been undone with this link already.")

    def load(self, token: str) -> LinkState:
        link = get_undo_link(current_context(), session.current_visitor(), token)
        return LinkState(token, link.email, link)

    def submit(self, form: ConfirmForm, state: LinkState) -> ResponseReturnValue:
        """Undo the change, and redirect to the page for a new password."""
        customer = session.current_customer()
        reset = undo_address_change(current_context(), session.current_visitor(), state.link)
        if customer and customer.id == state.link.contact_id:
            session.sign_out()
        emailed_links.remember_used_link(state.link.public_id)
        emailed_links.remember_opened_link(Purpose.RESET, reset)
        session.set_notice(_UNDONE)
        return redirect(url_for("password.set_new_opened"))


pages.add_url_rule("", view_func=RequestPage.as_view("request"))
pages.add_url_rule("/cancel", view_func=CancelPage.as_view("cancel"))
pages.add_url_rule("/code", view_func=CodePage.as_view("code"))
pages.add_url_rule("/confirm/<token>", view_func=ConfirmPage.as_view("confirm"))
pages.add_url_rule("/confirm", view_func=ConfirmPage.as_view("confirm_opened"), methods=["GET"])
pages.add_url_rule("/undo/<token>", view_func=UndoPage.as_view("undo"))
pages.add_url_rule("/undo", view_func=UndoPage.as_view("undo_opened"), methods=["GET"])
