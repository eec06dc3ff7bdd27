"""The passkeys of a customer: list, add, rename and remove them."""

from dataclasses import dataclass

from flask import Blueprint, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer
from portal.domain.messages import N_
from portal.domain.passkeys import MAX_PASSKEYS, Passkey
from portal.domain.recent_authentication import require_recent_authentication
from portal.domain.relying_party import RelyingParty
from portal.domain.use_cases.add_passkey import add_passkey, request_new_passkey
from portal.domain.use_cases.get_security import get_security
from portal.domain.use_cases.remove_passkey import remove_passkey
from portal.domain.use_cases.rename_passkey import rename_passkey
from portal.extensions import form_rate
from portal.web import session
from portal.web.account_sessions import LARGEST_ID
from portal.web.form_page import FormPage, FormT, PageState
from portal.web.forms import ConfirmForm, PasskeyForm, RenamePasskeyForm
from portal.web.passkeys import (
    credential_id_in,
    find_party,
    get_party,
    options_for_script,
    response_in,
    why_no_passkeys,
)
from portal.web.portal_form import Problem

pages = Blueprint("account_passkeys", __name__, url_prefix="/account/passkeys")


@dataclass
class _ListState(PageState):
    passkeys: tuple[Passkey, ...]
    party: RelyingParty | None
    why_none: str | None
    """Why no passkey can be used at this address."""
    accepted: dict[str, object] | None
    """What the page tells the browser of these passkeys (static/passkeys.js); None without any."""
    unknown_passkey: str | None = None
    """The id of a passkey that the browser can forget."""
    is_full: bool = False


class ListPage(FormPage[PasskeyForm, _ListState]):
    """List the passkeys, and add one that the browser has made."""

    form_class = PasskeyForm
    template = "account/passkeys.html"

    def load(self) -> _ListState:
        customer = session.signed_in_customer()
        passkeys = get_security(current_context(), customer).passkeys
        return _ListState(
            passkeys,
            find_party(),
            why_no_passkeys(),
            _accepted(customer, passkeys),
            session.take_removed_passkey(),
            len(passkeys) >= MAX_PASSKEYS,
        )

    def submit(self, form: PasskeyForm, state: _ListState) -> ResponseReturnValue:
        context, visitor, customer = current_context(), session.current_visitor(), session.signed_in_customer()
        try:
            add_passkey(context, visitor, customer, response_in(form))
        except Refused as refusal:
            if refusal.failure is Failure.PASSKEY_NOT_ADDED:
                state.unknown_passkey = credential_id_in(form)
            raise
        session.set_notice(N_("Your passkey is added. From now on you can sign in with it."))
        return redirect(url_for("account_passkeys.index"))


def _accepted(customer: Customer, passkeys: tuple[Passkey, ...]) -> dict[str, object] | None:
    if not passkeys:
        return None
    return {
        "userId": passkeys[0].user_handle,
        "allAcceptedCredentialIds": [passkey.credential_id for passkey in passkeys],
        "name": customer.email,
        "displayName": customer.name or customer.email,
    }


@pages.post("/options")
@form_rate
def options() -> ResponseReturnValue:
    """Return what the page's script asks the browser for (static/passkeys.js)."""
    customer = session.signed_in_customer()
    return options_for_script(request_new_passkey(current_context(), customer, get_party()))


@dataclass
class _PasskeyState(PageState):
    passkey: Passkey


class _PasskeyPage(FormPage[FormT, _PasskeyState]):
    """A page about one passkey."""

    def load(self, passkey_id: int) -> _PasskeyState:
        passkeys = get_security(current_context(), session.signed_in_customer()).passkeys
        found = next((passkey for passkey in passkeys if passkey.id == passkey_id), None)
        return _PasskeyState(found or abort(404))


class RenamePage(_PasskeyPage[RenamePasskeyForm]):
    """Give a passkey another name."""

    form_class = RenamePasskeyForm
    template = "account/rename_passkey.html"

    def _page(self, form: RenamePasskeyForm, state: _PasskeyState, problems: list[Problem]) -> str:
        if request.method == "GET":
            form.name.data = form.name.data or state.passkey.name
        return super()._page(form, state, problems)

    def submit(self, form: RenamePasskeyForm, state: _PasskeyState) -> ResponseReturnValue:
        context, visitor, customer = current_context(), session.current_visitor(), session.signed_in_customer()
        if not rename_passkey(context, visitor, customer, state.passkey.id, form.name.data or ""):
            abort(404)
        session.set_notice(N_("The passkey has its new name."))
        return redirect(url_for("account_passkeys.index"))


class RemovePage(_PasskeyPage[ConfirmForm]):
    """Remove a passkey."""

    form_class = ConfirmForm
    template = "account/remove_passkey.html"

    def load(self, passkey_id: int) -> _PasskeyState:
        """Require recent authentication before the button is shown, too."""
        state = super().load(passkey_id)
        require_recent_authentication(current_context(), session.signed_in_customer())
        return state

    def submit(self, form: ConfirmForm, state: _PasskeyState) -> ResponseReturnValue:
        context, visitor, customer = current_context(), session.current_visitor(), session.signed_in_customer()
        removed = remove_passkey(context, visitor, customer, state.passkey.id)
        if removed is None:
            abort(404)
        session.remember_removed_passkey(removed.credential_id)
        session.set_notice(N_("The passkey is removed. You can delete it from your device or password manager, too."))
        return redirect(url_for("account_passkeys.index"))


pages.add_url_rule("", view_func=ListPage.as_view("index"))
pages.add_url_rule(f"/<int(max={LARGEST_ID}):passkey_id>/rename", view_func=RenamePage.as_view("rename"))
pages.add_url_rule(f"/<int(max={LARGEST_ID}):passkey_id>/remove", view_func=RemovePage.as_view("remove"))
