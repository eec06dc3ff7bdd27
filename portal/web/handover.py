"""Redirect a signed-in customer to the account, or back to the site that they came from, with a handover code.

The site's server redeems the code (use_cases/hand_over.py). In a frame, the site gets it in a message. In a redirect,
it is sent only to a URL that the organisation has listed in full, if the site gave a nonce. A customer who was signed
in before must confirm it first, on a page that names the site and the account: anyone may have made the link (RFC 9700,
4.1 and 4.7).
"""

from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit

from flask import Blueprint, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, TooManyRequests
from werkzeug.wrappers import Response

from portal.app import current_context
from portal.domain.devices import remember_device
from portal.domain.identities import Customer
from portal.domain.rate_limiter import RateLimitExceeded
from portal.domain.return_urls import is_handover_url
from portal.domain.sign_ins import PendingSignIn, SignIn
from portal.domain.use_cases.hand_over import hand_over, hand_over_once
from portal.extensions import form_rate
from portal.web.cookies import is_framed, set_device_cookie
from portal.web.embedding import Visit, current_visit, nonce_in_request, visit_in_request
from portal.web.form_page import FormPage, PageState
from portal.web.forms import ContinueForm
from portal.web.organisation import current_organisation
from portal.web.portal_form import Problem
from portal.web.redirects import redirect_to, return_target
from portal.web.session import (
    VISIT,
    current_customer,
    current_visitor,
    hold_pending_sign_in,
    sign_in,
    signed_in_customer,
)

pages = Blueprint("handover", __name__)


@pages.post("/handover")
@form_rate
def tell_site() -> ResponseReturnValue:
    """Return a handover code for the site around a frame: one for each sign-in and nonce.

    The page's script (static/portal.js) sends the nonce: all frames of a site share one cookie, so only the frame
    itself knows the page that contains it. The response does not change the cookie, because another page of the frame
    may sign out meanwhile.
    """
    customer, nonce = current_customer(), nonce_in_request()
    if customer is None or not nonce or not is_framed():
        return {}
    try:
        code = hand_over_once(current_context(), customer, nonce)
    except RateLimitExceeded as exceeded:
        return {}, 429, {"Retry-After": str(exceeded.retry_after)}
    return {} if code is None else {"code": code}


def sign_in_and_redirect(
    begun: SignIn, *, remember: bool, after: str | None, return_url: str | None = None
) -> Response:
    """Sign the browser in and redirect it: back to the site that it came from, or to the path `after`.

    If the sign-in waits for a second step, redirect there first. `return_url` is the URL that a shop's server gave for
    a new customer; no code is sent there, because the browser may not be the one that the shop knows.
    """
    if isinstance(begun, PendingSignIn):
        hold_pending_sign_in(begun.value, after)
        return redirect(url_for("two_step.sign_in"))
    sign_browser_in(begun, remember=remember)
    return redirect_after_sign_in(after, return_url)


def sign_browser_in(identity: str, *, remember: bool, trust: bool = False) -> None:
    """Put an identity into the cookie; the browser becomes one of the customer's known devices.

    With `trust`, it signs in without the second step for some time.
    """
    sign_in(identity, remember=remember)
    if device := remember_device(current_context(), current_visitor(), identity, trust=trust):
        set_device_cookie(device)


def redirect_after_sign_in(after: str | None, return_url: str | None = None) -> Response:
    """Redirect a browser that was just signed in."""
    visit = current_visit()
    target = None if is_framed() else return_target(visit.return_url)  # in a frame, the script of the next page does it
    if target is not None and (customer := current_customer()) is not None:
        try:
            return _redirect_back(customer, visit, target)
        except TooManyRequests:  # too many codes; the sign-in is done
            return _redirect_back(customer, replace(visit, nonce=""), target)
    external = None if is_framed() else return_target(return_url)
    return redirect(external) if external else redirect_to(after, url_for("account.home"))


def redirect_signed_in(after: str | None) -> ResponseReturnValue:
    """Redirect a customer who was signed in before. Stores nothing, because anyone may have made the link."""
    visit = current_visit()
    target = None if is_framed() else return_target(visit.return_url)
    if target is None:
        return redirect_to(after, url_for("account.home"))
    if _gets_code(visit, target):
        return ContinuePage().show()
    return _redirect_back(signed_in_customer(), visit, target)


@dataclass
class _ContinueState(PageState):
    site: str = ""
    """The host of the site; known once the form is filled in."""


class ContinuePage(FormPage[ContinueForm, _ContinueState]):
    """Ask a signed-in customer to confirm the return to a site; shown at the URL they opened (redirect_signed_in)."""

    form_class = ContinueForm
    template = "login/continue.html"

    def get(self) -> ResponseReturnValue:
        """Redirect to the page with the button, or to the account if there is no site to return to."""
        is_done = current_customer() is not None and current_visit().return_url is None
        return redirect(url_for("account.home" if is_done else "login.login"))

    def show(self) -> ResponseReturnValue:
        """Show the page with the button, for the site of the current visit."""
        return super().get()

    def load(self) -> _ContinueState:
        """Require a signed-in customer, and allow no frame (clickjacking)."""
        signed_in_customer()
        g.is_never_framed = True
        return _ContinueState()

    def prefill(self, form: ContinueForm, state: _ContinueState) -> None:
        """Put the visit into the form, since another tab may start another visit before the form is sent."""
        visit = asdict(current_visit())
        for name in ("return_url", "state", "nonce"):
            form[name].data = visit[name]

    def submit(self, form: ContinueForm, state: _ContinueState) -> ResponseReturnValue:
        visit = visit_in_request()
        if visit.return_url is None or is_framed():
            return redirect(url_for("account.home"))
        return _redirect_back(signed_in_customer(), visit, visit.return_url)

    def show_stale(self, *args: Any, **kwargs: Any) -> ResponseReturnValue:
        """Show the page again; raises BadRequest without an allowed return URL."""
        if return_target(request.form.get("return_url") or current_visit().return_url) is None:
            raise BadRequest
        return super().show_stale(*args, **kwargs)

    def _page(self, form: ContinueForm, state: _ContinueState, problems: list[Problem]) -> str:
        if not form.return_url.data:
            self.prefill(form, state)
        target = return_target(form.return_url.data)  # also adds its origin to the page's policy
        state.site = urlsplit(target or "").netloc
        return super()._page(form, state, problems)


pages.add_url_rule("/continue", view_func=ContinuePage.as_view("continue"))


def _gets_code(visit: Visit, target: str) -> bool:
    return bool(visit.nonce) and is_handover_url(target, current_organisation().handover_urls)


def _redirect_back(customer: Customer, visit: Visit, target: str) -> Response:
    """Redirect to the site, with a code if it may get one, and end the visit."""
    added: dict[str, str] = {}
    if _gets_code(visit, target):
        try:
            added["code"] = hand_over(current_context(), customer, visit.nonce)
        except RateLimitExceeded as exceeded:
            raise TooManyRequests(retry_after=exceeded.retry_after) from None
    if visit.state is not None:
        added["state"] = visit.state
    if current_visit().return_url == visit.return_url:
        del session[VISIT]
    parts = urlsplit(target)
    # The URL may still have the parameters of an earlier return.
    own = [part for part in parts.query.split("&") if part and _name_of(part) not in ("code", "state")]
    query = "&".join([*own, *([urlencode(added)] if added else [])])
    return redirect(parts._replace(query=query).geturl())


def _name_of(part: str) -> str:
    """Return the decoded name of a query parameter: `c%6Fde` is `code`."""
    return unquote_plus(part.partition("=")[0])
