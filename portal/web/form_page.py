"""The page around a form: shown, sent, shown again with what is wrong."""

from datetime import timedelta
from typing import Any, ClassVar

from flask import current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask.views import MethodView

from portal.domain.errors import Failure, Refused
from portal.domain.messages import N_
from portal.domain.recent_authentication import NotRecentlyAuthenticated
from portal.extensions import age_of_form_token, form_rate
from portal.i18n import translate
from portal.web.cookies import is_framed
from portal.web.forgery import sent_from_elsewhere
from portal.web.forms import PortalForm, Problem
from portal.web.redirects import this_page
from portal.web.session import (
    current_customer,
    delete_input,
    redirect_to_reauthentication,
    remember_address,
    remembered_address,
    save_form,
    saved_input,
    take_saved_form,
)

LINK_STATUS = {
    Failure.NO_SUCH_LINK: 404,
    Failure.LINK_ENDED: 410,
    Failure.LINK_EXPIRED: 410,
    Failure.ALREADY_CONFIRMED: 410,
    Failure.REGISTRATION_DROPPED: 410,
}
"""Refusals that leave no form to show: errors.py makes pages of them."""

_TOKEN = "csrf_token"
_ADDRESS = "email"
_EXPIRED = N_("Your session on this page expired. Please send the form again.")
_INCOMPLETE = N_("The form didn't arrive completely. Please send it again.")
_NO_COOKIES = N_("Your browser didn't send our cookie. Please allow cookies for this website and send the form again.")
_RECENT = timedelta(minutes=10)
"""A form that was opened within it has not expired: the browser keeps no cookies."""
_FOREIGN = N_("This form was sent from another website. Nothing was changed. Please fill it in here.")


def words_of(refusal: Refused) -> str:
    """What a page says about a refusal."""
    return translate(refusal.message, **refusal.values)


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

    def prefill(self, form: PortalForm) -> None:
        """Fill a form that is opened, not sent."""

    def submitted(self, form: Any, shown: dict[str, Any]) -> ResponseReturnValue:
        """Do what the form is for, through one function of the domain; may raise Refused."""
        raise NotImplementedError

    def judge(self, form: Any) -> None:
        """Say what the domain would refuse next in a form that is refused already, so that one answer names it all."""

    def early_redirect(self) -> ResponseReturnValue | None:
        """Where a customer goes on who does not need this page any more; None: it is shown."""
        return None

    def get(self, **arguments: Any) -> ResponseReturnValue:
        """The empty form."""
        if (onward := self.early_redirect()) is not None:
            return onward
        shown = self.opened(**arguments)
        form = self.form_for(shown)(formdata=saved_input(request.path))
        self.prefill(form)
        for name, value in take_saved_form(request.path).items():
            if name in form:
                form[name].data = value
        if _ADDRESS in form and not form[_ADDRESS].data:
            form[_ADDRESS].data = remembered_address()
        return self._page(form, shown, [])

    def post(self, **arguments: Any) -> ResponseReturnValue:
        """The form as it was sent: 422 when something is wrong with it, 429 when there were too many."""
        shown = self.opened(**arguments)
        form = self.form_for(shown)(formdata=request.form)
        delete_input()
        if _ADDRESS in form:
            remember_address(form[_ADDRESS].data)
        if not form.check():
            self.judge(form)
            return self._page(form, shown, form.problems), 422
        try:
            return self.submitted(form, shown)
        except NotRecentlyAuthenticated:
            save_form(request.path, form.typed_values)
            return redirect_to_reauthentication()
        except Refused as refusal:
            if refusal.failure in LINK_STATUS:
                raise
            return self.show_refusal(form, shown, refusal)

    def show_refusal(self, form: PortalForm, shown: dict[str, Any], refusal: Refused) -> ResponseReturnValue:
        """The form again, with the domain's words."""
        problems = []
        for each in (refusal, refusal.also):
            if each is not None:
                field = each.field if each.field and each.field in form else ""
                form.refuse(field, words_of(each))
                problems.append(Problem(field, words_of(each)))
        response = make_response(self._page(form, shown, problems))
        response.status_code = 422 if refusal.retry_after is None else 429
        if refusal.retry_after is not None:
            response.headers["Retry-After"] = str(refusal.retry_after)
        return response

    def show_stale(self, **arguments: Any) -> ResponseReturnValue:
        """The form again with what was typed, because its token was missing, foreign or stale; nothing was done.

        A customer who has signed in meanwhile, in another tab, is led on instead. Of what another site sent nothing is
        left (forgery.py).
        """
        if was_sent_by_our_page() and (onward := self.early_redirect()) is not None:
            return onward
        shown = self.opened(**arguments)
        form = self.form_for(shown)(formdata=request.form)
        return self._page(form, shown, [Problem("", translate(_why_stale()))]), 400

    def _page(self, form: PortalForm, shown: dict[str, Any], problems: list[Problem]) -> str:
        current_customer()  # the header of every page offers the way out to who is signed in
        if request.method == "POST":
            shown = {"here": this_page(form.hidden_values), **shown}
        if len(problems) == 1 and problems[0].field and not is_framed():  # where browsers forbid it, the script tries
            form[problems[0].field].render_kw = {"autofocus": True}
        return render_template(self.template, form=form, problems=problems, **shown)


def was_sent_by_our_page() -> bool:
    """Return whether a form that was refused for its token came from one of our pages: it has a token, of no use."""
    return bool(request.form.get(_TOKEN)) and not sent_from_elsewhere()


def _why_stale() -> str:
    if sent_from_elsewhere():
        return _FOREIGN
    token = request.form.get(_TOKEN)
    if not token:
        return _INCOMPLETE
    has_cookie = current_app.session_interface.get_cookie_name(current_app) in request.cookies
    age = age_of_form_token(token)
    return _NO_COOKIES if not has_cookie and age is not None and age < _RECENT else _EXPIRED
