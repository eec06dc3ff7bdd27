"""The customer's data: get a copy of it, and delete the account."""

import json
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.tokens import Purpose
from portal.domain.use_cases.close_account import close_account, erased_if_closed_now, get_keep_link, keep_account
from portal.domain.use_cases.export_account import export_account
from portal.web import emailed_links, session
from portal.web.data_words import sections_of
from portal.web.form_page import FormPage, PageState, StatelessFormPage
from portal.web.forms import ConfirmForm, DeleteForm, ExportForm
from portal.web.link_page import LinkPage, LinkState
from portal.web.saved_input import remember_address

_FILE_NAME = "account-data.json"

pages = Blueprint("account_data", __name__, url_prefix="/account")


@pages.get("/data")
def index() -> str:
    """Show what customers can do with their data."""
    session.signed_in_customer()
    return render_template("account/data.html", problems=[])


class ExportPage(StatelessFormPage[ExportForm]):
    """Give a copy of the data, as a file or as a page to read. The page itself is only shown for a stale form."""

    form_class = ExportForm
    template = "account/data.html"
    shown_on = "account_data.index"

    def load(self) -> PageState:
        session.signed_in_customer()
        return super().load()

    def submit(self, form: ExportForm, state: PageState) -> ResponseReturnValue:
        """Respond with JSON, unless the page was requested."""
        exported = export_account(current_context(), session.current_visitor(), session.signed_in_customer())
        if form.format.data == "page":
            return render_template("account/export.html", sections=sections_of(exported))
        response = Response(json.dumps(exported, ensure_ascii=False, indent=2) + "\n", mimetype="application/json")
        response.headers.set("Content-Disposition", "attachment", filename=_FILE_NAME)
        return response


@dataclass
class _DeleteState(PageState):
    erased_on: datetime | None
    """When the account will be erased; None for at once."""


class DeletePage(FormPage[DeleteForm, _DeleteState]):
    """Explain what deleting the account does, and do it."""

    form_class = DeleteForm
    template = "account/delete.html"

    def load(self) -> _DeleteState:
        return _DeleteState(erased_if_closed_now(current_context(), session.signed_in_customer()))

    def submit(self, form: DeleteForm, state: _DeleteState) -> ResponseReturnValue:
        """Close or erase the account, and sign this browser out."""
        if not close_account(current_context(), session.current_visitor(), session.signed_in_customer()):
            return session.redirect_to_sign_in()
        session.sign_out()
        session.set_notice(
            N_("Your account is closed. We've emailed you a link, in case you want to keep it after all.")
            if state.erased_on
            else N_("Your account was erased.")
        )
        return redirect(url_for("login.login"))


class KeepPage(LinkPage[ConfirmForm, LinkState]):
    """Show whose closed account it is, and a button that keeps it."""

    form_class = ConfirmForm
    template = "account/keep.html"
    purpose = Purpose.KEEP
    request_endpoint = "login.login"
    used_notice = N_("You've already kept your account with this link.")

    def load(self, token: str) -> LinkState:
        link = get_keep_link(current_context(), session.current_visitor(), token)
        return LinkState(token, link.email, link)

    def submit(self, form: ConfirmForm, state: LinkState) -> ResponseReturnValue:
        keep_account(current_context(), session.current_visitor(), state.link)
        emailed_links.remember_used_link(state.link.public_id)
        remember_address(state.email)
        session.set_notice(N_("Your account is kept. You can sign in again."))
        return redirect(url_for("login.login"))


pages.add_url_rule("/export", view_func=ExportPage.as_view("export"))
pages.add_url_rule("/delete", view_func=DeletePage.as_view("delete"))
pages.add_url_rule("/keep/<token>", view_func=KeepPage.as_view("keep"))
pages.add_url_rule("/keep", view_func=KeepPage.as_view("keep_opened"), methods=["GET"])
