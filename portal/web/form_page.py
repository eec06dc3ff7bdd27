"""The page around a form: shown, sent, shown again with what is wrong."""

from typing import Any, ClassVar

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask.views import MethodView

from portal.domain.errors import Failure, Refused
from portal.domain.messages import N_
from portal.domain.recent_authentication import NotRecentlyAuthenticated
from portal.extensions import form_rate
from portal.i18n import translate
from portal.web.forgery import sent_from_elsewhere
from portal.web.forms import PortalForm, Problem
from portal.web.redirects import this_page
from portal.web.session import current_customer, keep_form, take_kept_form, to_reauthentication

LINK_STATUS = {
    Failure.NO_SUCH_LINK: 404,
    Failure.LINK_ENDED: 410,
    Failure.LINK_EXPIRED: 410,
    Failure.REGISTRATION_DROPPED: 410,
}
"""Refusals that leave no form to show: errors.py makes pages of them."""

_STALE = N_(
    "The form was open for too long, or your browser keeps no cookies from us. Check what you typed and send it again."
)
_FOREIGN = N_("This form was sent from another website. Nothing was changed. Please fill it in here.")
_STALE_BUTTON = N_("The page was open for too long, or your browser keeps no cookies from us. Press the button again.")


def words_of(refusal: Refused) -> str:
    """What a page says about a refusal."""
    return translate(refusal.detail or refusal.failure.value.words, **refusal.values)


class FormPage(MethodView):
    """One form and its page. A subclass says what is shown and what happens; statuses and errors are decided here."""

    init_every_request: ClassVar[bool] = False
    decorators: ClassVar = [form_rate]
    form_class: ClassVar[type[PortalForm]]
    template: ClassVar[str]

    def opened(self, **arguments: Any) -> dict[str, Any]:
        """What the template needs beside its form; may raise Refused or abort."""
        return {}

    def form_for(self, shown: dict[str, Any]) -> type[PortalForm]:
        """The form, where it depends on what is shown."""
        return self.form_class

    def filled(self, form: PortalForm) -> None:
        """Fill a form that is opened, not sent."""

    def submitted(self, form: Any, shown: dict[str, Any]) -> ResponseReturnValue:
        """Do what the form is for, through one function of the domain; may raise Refused."""
        raise NotImplementedError

    def get(self, **arguments: Any) -> ResponseReturnValue:
        """The empty form."""
        shown = self.opened(**arguments)
        form = self.form_for(shown)(formdata=None)
        self.filled(form)
        for name, value in take_kept_form(request.path).items():
            if name in form:
                form[name].data = value
        return self._page(form, shown, [])

    def post(self, **arguments: Any) -> ResponseReturnValue:
        """The form as it was sent: 422 when something is wrong with it, 429 when there were too many."""
        shown = self.opened(**arguments)
        form = self.form_for(shown)(formdata=request.form)
        problems = form.problems()
        if problems:
            return self._page(form, shown, problems), 422
        try:
            return self.submitted(form, shown)
        except NotRecentlyAuthenticated:
            keep_form(request.path, form.typed)
            return to_reauthentication()
        except Refused as refusal:
            if refusal.failure in LINK_STATUS:
                raise
            return self.show_refusal(form, shown, refusal)

    def show_refusal(self, form: PortalForm, shown: dict[str, Any], refusal: Refused) -> ResponseReturnValue:
        """The form again, with the domain's words."""
        words = words_of(refusal)
        field = refusal.field if refusal.field and refusal.field in form else None
        if field:
            form.refuse(field, words)
        response = make_response(self._page(form, shown, [Problem(field or "", words)]))
        response.status_code = 422 if refusal.retry_after is None else 429
        if refusal.retry_after is not None:
            response.headers["Retry-After"] = str(refusal.retry_after)
        return response

    def show_stale(self, **arguments: Any) -> ResponseReturnValue:
        """The form again with what was typed, because its token was missing, foreign or stale; nothing was done.

        Of what another site sent nothing is left (forgery.py).
        """
        shown = self.opened(**arguments)
        form = self.form_for(shown)(formdata=request.form)
        words = _STALE if form.holds_text else _STALE_BUTTON
        return self._page(form, shown, [Problem("", translate(_FOREIGN if sent_from_elsewhere() else words))]), 400

    def _page(self, form: PortalForm, shown: dict[str, Any], problems: list[Problem]) -> str:
        current_customer()  # the header of every page offers the way out to who is signed in
        if request.method == "POST":
            shown = {"here": this_page(form.carried), **shown}
        return render_template(self.template, form=form, problems=problems, **shown)
