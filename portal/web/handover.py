"""Leading a customer on who is signed in: to their account, or back to the site that they came from.

Its server learns who they are by a code (use_cases/hand_over.py). In a frame the site gets it in a message. By redirect
it goes only to a page that the organisation has listed whole, together with a nonce of that site; and for a customer
who did not just sign in only after they pressed a button that says where it goes to and as whom, since anybody may
have made the link (RFC 9700, 4.1 and 4.7).
"""

from dataclasses import asdict, replace
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
from portal.web.cookies import is_framed, keep_device
from portal.web.embedding import Visit, current_visit, named_nonce, named_visit
from portal.web.form_page import FormPage
from portal.web.forms import ContinueForm, PortalForm, Problem
from portal.web.organisation import current_organisation
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
    """Tell the site around a frame the code of a customer who is signed in: each sign-in once for each nonce.

    The page's script asks (static/portal.js) and names the nonce: all frames of a site share one cookie, so only the
    frame itself knows which page it stands in. Nothing is written into that cookie: this may be answered while another
    page of the frame signs out.
    """
    customer, nonce = current_customer(), named_nonce()
    if customer is None or not nonce or not is_framed():
        return {}
    try:
        code = hand_over_once(current_context(), customer, nonce)
    except RateLimitExceeded as throttled:
        return {}, 429, {"Retry-After": str(throttled.retry_after)}
    return {} if code is None else {"code": code}


def arrive(begun: SignIn, *, remember: bool, after: str | None, return_url: str | None = None) -> Response:
    """Sign the browser in and lead it on: back to the site that it came from, or to a path of our own.

    A sign-in that waits for its second step leads there first. `return_url` is where a shop's server wants its new
    customer to go on; no code goes there, since this browser need not be the one that the shop knows.
    """
    if isinstance(begun, PendingSignIn):
        hold_pending_sign_in(begun.value, after)
        return redirect(url_for("two_step.sign_in"))
    sign_browser_in(begun, remember=remember)
    return lead_on(after, return_url)


def sign_browser_in(identity: str, *, remember: bool, trust: bool = False) -> None:
    """Put an identity into the cookie; the browser is one of the customer's known devices from now on.

    With `trust` it signs in without the second step for some time.
    """
    sign_in(identity, remember=remember)
    if device := remember_device(current_context(), current_visitor(), identity, trust=trust):
        keep_device(device)


def lead_on(after: str | None, return_url: str | None = None) -> Response:
    """Lead a browser on that was just signed in."""
    customer, visit = current_customer(), current_visit()
    target = None if is_framed() else return_target(visit.return_url)  # in a frame the next page tells the site
    if customer is not None and target is not None:
        try:
            return _return(customer, visit, target)
        except TooManyRequests:  # for the code, not for signing in
            return _return(customer, replace(visit, nonce=""), target)
    onward = None if is_framed() else return_target(return_url)
    return redirect(onward) if onward else redirect_to(after, url_for("account.home"))


def go_on(after: str | None) -> ResponseReturnValue:
    """Lead a customer on who was signed in before they came. Nothing is stored: anybody may have made the link."""
    visit = current_visit()
    target = None if is_framed() else return_target(visit.return_url)
    if target is None:
        return redirect_to(after, url_for("account.home"))
    if _gets_code(visit, target):
        return ContinuePage().ask()
    return _return(signed_in_customer(), visit, target)


class ContinuePage(FormPage):
    """Where a customer goes on to and as whom, and a button. The page itself stands where they came to (go_on)."""

    form_class = ContinueForm
    template = "login/continue.html"

    def get(self, **_arguments: Any) -> ResponseReturnValue:
        """Lead to the page with the button; to the account where there is nothing to go on to."""
        is_done = current_customer() is not None and current_visit().return_url is None
        return redirect(url_for("account.home" if is_done else "login.login"))

    def ask(self) -> ResponseReturnValue:
        """The page with the button, for the site that the customer came from last."""
        return super().get()

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """Only for a customer who is signed in, and in no frame, where the button could be pressed unseen."""
        signed_in_customer()
        g.is_never_framed = True
        return {}

    def filled(self, form: PortalForm) -> None:
        """The form keeps what the page says, whatever site the customer comes from next in another tab."""
        visit = asdict(current_visit())
        for name in ("return_url", "state", "nonce"):
            form[name].data = visit[name]

    def submitted(self, form: ContinueForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Hand the customer over."""
        visit = named_visit()
        if visit.return_url is None or is_framed():
            return redirect(url_for("account.home"))
        return _return(signed_in_customer(), visit, visit.return_url)

    def show_stale(self, **arguments: Any) -> ResponseReturnValue:
        """The page again. Raises BadRequest without an address that may be returned to: nothing to continue to."""
        if return_target(request.form.get("return_url") or current_visit().return_url) is None:
            raise BadRequest
        return super().show_stale(**arguments)

    def _page(self, form: PortalForm, shown: dict[str, Any], problems: list[Problem]) -> str:
        if not form["return_url"].data:
            self.filled(form)
        target = return_target(form["return_url"].data)  # its origin joins the page's policy
        return super()._page(form, {"site": urlsplit(target or "").netloc, **shown}, problems)


pages.add_url_rule("/continue", view_func=ContinuePage.as_view("continue"))


def _gets_code(visit: Visit, target: str) -> bool:
    return bool(visit.nonce) and is_handover_url(target, current_organisation().handover_urls)


def _return(customer: Customer, visit: Visit, target: str) -> Response:
    """Lead back to the site, with a code where it gets one; the visit ends with it."""
    answer: dict[str, str] = {}
    if _gets_code(visit, target):
        try:
            answer["code"] = hand_over(current_context(), customer, visit.nonce)
        except RateLimitExceeded as throttled:
            raise TooManyRequests(retry_after=throttled.retry_after) from None
    if visit.state is not None:
        answer["state"] = visit.state
    if current_visit().return_url == visit.return_url:
        del session[VISIT]
    parts = urlsplit(target)
    # The page may have been returned to before, and still stand at the address that it got then.
    said_before = [part for part in parts.query.split("&") if part and _name_of(part) not in ("code", "state")]
    query = "&".join([*said_before, *([urlencode(answer)] if answer else [])])
    return redirect(parts._replace(query=query).geturl())


def _name_of(part: str) -> str:
    """The name of a parameter as the site reads it: `c%6Fde` is `code`."""
    return unquote_plus(part.partition("=")[0])
