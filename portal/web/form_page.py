"""The page of a form: shown, submitted, and shown again with its errors."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar

from flask import current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask.views import MethodView

from portal.domain.errors import Failure, Refused
from portal.domain.messages import N_
from portal.domain.recent_authentication import NotRecentlyAuthenticated
from portal.extensions import age_of_form_token, form_rate
from portal.i18n import translate
from portal.web.cookies import is_framed
from portal.web.forgery import sent_from_elsewhere
from portal.web.portal_form import PortalForm, Problem
from portal.web.redirects import own_path, this_page
from portal.web.saved_input import (
    delete_input,
    remember_address,
    remembered_address,
    save_form,
    saved_input,
    take_saved_form,
)
from portal.web.session import current_customer, redirect_to_reauthentication

LINK_STATUS = {
    Failure.NO_SUCH_LINK: 404,
    Failure.LINK_ENDED: 410,
    Failure.LINK_EXPIRED: 410,
    Failure.ALREADY_CONFIRMED: 410,
    Failure.REGISTRATION_DROPPED: 410,
}
"""The statuses of refusals after which there is no form to show; errors.py shows a page for them."""

_TOKEN = "csrf_token"
_ADDRESS = "email"
_NEXT = "next"
_EXPIRED = N_("Your session on this page expired. Please send the form again.")
_INCOMPLETE = N_("The form didn't arrive completely. Please send it again.")
_NO_COOKIES = N_("Your browser didn't send our cookie. Please allow cookies for this website and send the form again.")
_RECENT = timedelta(minutes=10)
"""A token younger than this has not expired: if its cookie is missing, the browser blocks cookies."""
_FOREIGN = N_("This form may have come from another website, so nothing was changed. Please fill it in here.")


@dataclass
class PageState:
    """What a page needs beside its form. The fields of a subclass are variables of the page's template."""


@dataclass
class CodeState(PageState):
    """What the page for a code from an email needs."""

    email: str | None
    """The address that the code was sent to, if it is known."""
    requested_here: bool
    """Whether this browser requested the code."""


FormT = TypeVar("FormT", bound=PortalForm)
StateT = TypeVar("StateT", bound=PageState)


class FormPage(MethodView, Generic[FormT, StateT]):
    """A page with a form. A subclass defines its state and what the form does; this class handles errors."""

    init_every_request: ClassVar[bool] = False
    decorators: ClassVar = [form_rate]
    form_class: type[FormT]
    template: ClassVar[str]
    shown_on: ClassVar[str | None] = None
    """The endpoint of another page with the form: a GET redirects there, and this page is shown only after an error."""
    keeps_saved_input: ClassVar[bool] = False
    """Whether what was saved of another page's form is kept when this one is sent."""

    def load(self, *args: Any, **kwargs: Any) -> StateT:
        """Return the state for the parameters of the URL; may raise Refused or abort."""
        raise NotImplementedError

    def form_for(self, state: StateT) -> type[FormT]:
        """Return the class of the form, if it depends on the state."""
        return self.form_class

    def prefill(self, form: FormT, state: StateT) -> None:
        """Fill in a form that is shown for the first time."""

    def submit(self, form: FormT, state: StateT) -> ResponseReturnValue:
        """Do what a valid form is for, through one use case of the domain; may raise Refused."""
        raise NotImplementedError

    def validate_more(self, form: FormT) -> None:
        """Add the errors of the domain to a form that is invalid anyway, so that the customer sees all at once."""

    def early_redirect(self) -> ResponseReturnValue | None:
        """Return the redirect of a customer who does not need this page, or None to show it."""
        return None

    def get(self, *args: Any, **kwargs: Any) -> ResponseReturnValue:
        """Show the form, filled in with what was saved of it."""
        if self.shown_on is not None:
            target = request.args.get(_NEXT) if hasattr(self.form_class, _NEXT) else None
            return redirect(url_for(self.shown_on, next=own_path(target)))
        if (early := self.early_redirect()) is not None:
            return early
        state = self.load(*args, **kwargs)
        form = self.form_for(state)(formdata=saved_input(request.path))
        if _NEXT in form:
            form[_NEXT].data = own_path(request.args.get("next"))
        self.prefill(form, state)
        for name, value in take_saved_form(request.path).items():
            if name in form:
                form[name].data = value
        if _ADDRESS in form and not form[_ADDRESS].data:
            form[_ADDRESS].data = remembered_address()
        return self._page(form, state, [])

    def post(self, *args: Any, **kwargs: Any) -> ResponseReturnValue:
        """Submit the form, or show it again with its errors: 422, or 429 for a rate limit."""
        state = self.load(*args, **kwargs)
        form = self.form_for(state)(formdata=request.form)
        if not self.keeps_saved_input:
            delete_input()
        if _ADDRESS in form:
            remember_address(form[_ADDRESS].data)
        if not form.check():
            self.validate_more(form)
            return self._page(form, state, form.problems), 422
        try:
            return self.submit(form, state)
        except NotRecentlyAuthenticated:
            save_form(request.path, form.typed_values)
            return redirect_to_reauthentication()
        except Refused as refusal:
            if refusal.failure in LINK_STATUS:
                raise
            return self._show_refusal(form, state, refusal)

    def _show_refusal(self, form: FormT, state: StateT, refusal: Refused) -> ResponseReturnValue:
        problems = []
        for each in (refusal, refusal.also):
            if each is not None:
                field = each.field if each.field and each.field in form else ""
                form.refuse(field, refusal_text(each))
                problems.append(Problem(field, refusal_text(each)))
        response = make_response(self._page(form, state, problems))
        response.status_code = 422 if refusal.retry_after is None else 429
        if refusal.retry_after is not None:
            response.headers["Retry-After"] = str(refusal.retry_after)
        return response

    def show_stale(self, *args: Any, **kwargs: Any) -> ResponseReturnValue:
        """Show a form again whose token is missing or invalid, with what was typed; nothing was done.

        A customer who has signed in in another tab is redirected. The data of a form from another site is
        discarded (forgery.py).
        """
        if was_sent_by_our_page() and (early := self.early_redirect()) is not None:
            return early
        state = self.load(*args, **kwargs)
        form = self.form_for(state)(formdata=request.form)
        return self._page(form, state, [Problem("", translate(_why_stale()))]), 400

    def _page(self, form: FormT, state: StateT, problems: list[Problem]) -> str:
        current_customer()  # the header of every page shows the signed-in customer
        variables = vars(state)
        if request.method == "POST":
            variables = {"here": this_page(form.hidden_values), **variables}
        if len(problems) == 1 and problems[0].field and not is_framed():  # in a frame, browsers ignore autofocus
            form[problems[0].field].render_kw = {"autofocus": True}
        return render_template(self.template, form=form, problems=problems, **variables)


class StatelessFormPage(FormPage[FormT, PageState]):
    """A page that needs nothing beside its form."""

    def load(self) -> PageState:
        return PageState()


def refusal_text(refusal: Refused) -> str:
    """Return the text of a refusal in the language of the page."""
    return translate(refusal.message, **refusal.values)


def was_sent_by_our_page() -> bool:
    """Return whether a form came from a page of the portal: it has some token, if an invalid one."""
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
