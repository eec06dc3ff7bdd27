"""The customer's data: a copy of it, and deleting the account."""

import json
from typing import Any

from flask import Blueprint, Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.tokens import Purpose
from portal.domain.use_cases.close_account import close_account, erased_if_closed_now, get_keep_link, keep_account
from portal.domain.use_cases.export_account import export_account
from portal.web import session
from portal.web.data_words import sections_of
from portal.web.form_page import FormPage
from portal.web.forms import ConfirmForm, DeleteForm, ExportForm
from portal.web.link_page import LinkPage

_FILE_NAME = "account-data.json"

pages = Blueprint("account_data", __name__, url_prefix="/account")


@pages.get("/data")
def index() -> str:
    """Show what customers can do with their data."""
    session.signed_in_customer()
    return render_template("account/data.html", problems=[])


class ExportPage(FormPage):
    """Give a copy of the data, as a file or as a page to read; shown only if the form that was sent is stale."""

    form_class = ExportForm
    template = "account/data.html"

    def get(self, **_arguments: Any) -> ResponseReturnValue:
        """Lead to the page with the buttons."""
        return redirect(url_for("account_data.index"))

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """Only for a customer who is signed in."""
        session.signed_in_customer()
        return {}

    def submitted(self, form: ExportForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Export it; JSON, unless the page was asked for."""
        exported = export_account(current_context(), session.current_visitor(), session.signed_in_customer())
        if form.format.data == "page":
            return render_template("account/export.html", sections=sections_of(exported))
        response = Response(json.dumps(exported, ensure_ascii=False, indent=2) + "\n", mimetype="application/json")
        response.headers.set("Content-Disposition", "attachment", filename=_FILE_NAME)
        return response


pages.add_url_rule("/export", view_func=ExportPage.as_view("export"))


class DeletePage(FormPage):
    """Say what deleting the account does, and do it."""

    form_class = DeleteForm
    template = "account/delete.html"

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """When it would be erased."""
        session.signed_in_customer()
        return {"erased_on": erased_if_closed_now(current_context())}

    def submitted(self, form: DeleteForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Close the account, or erase it; this browser is signed out, too."""
        if not close_account(current_context(), session.current_visitor(), session.signed_in_customer()):
            return session.to_sign_in()
        session.sign_out()
        session.give_notice(
            N_("Your account is closed. We've emailed you a link, in case you want to keep it after all.")
            if shown["erased_on"]
            else N_("Your account was erased.")
        )
        return redirect(url_for("login.login"))


pages.add_url_rule("/delete", view_func=DeletePage.as_view("delete"))


class KeepPage(LinkPage):
    """Keep a closed account: looking never keeps it, only the button does."""

    form_class = ConfirmForm
    template = "account/keep.html"
    purpose = Purpose.KEEP
    beginning = "login.login"
    told_again = N_("Your account was kept with this link already.")

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """Whose account it is."""
        link = get_keep_link(current_context(), session.current_visitor(), arguments["token"])
        return {"token": arguments["token"], "email": link.email, "link": link}

    def submitted(self, form: ConfirmForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Keep it."""
        keep_account(current_context(), session.current_visitor(), shown["link"])
        session.remember_used_link(shown["link"].public_id)
        session.remember_address(shown["email"])
        session.give_notice(N_("Your account is kept. You can sign in again."))
        return redirect(url_for("login.login"))


pages.add_url_rule("/keep/<token>", view_func=KeepPage.as_view("keep"))
pages.add_url_rule("/keep", view_func=KeepPage.as_view("keep_opened"), methods=["GET"])
