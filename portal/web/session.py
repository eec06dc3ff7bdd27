"""The session cookie: the identity, sign-ins and changes that take more than one page, and notices.

What it remembers of emails is in emailed_links.py.
"""

from flask import g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from portal.app import current_context
from portal.domain import identities, sign_outs
from portal.domain.context import Visitor
from portal.domain.identities import Customer
from portal.domain.messages import N_
from portal.domain.sign_outs import SignedOut
from portal.domain.values.ip_addresses import read_ip
from portal.i18n import current_language
from portal.storage.backends import DatabaseUnavailable
from portal.storage.models import STRING_LENGTH, USER_AGENT_LENGTH
from portal.web import emailed_links
from portal.web.cookies import is_framed, presented_device
from portal.web.organisation import current_organisation

PageLink = tuple[str, str]
"""A link on a page: its endpoint and its text (for the translators)."""

VISIT = "visit"
_IDENTITY = "identity"
_REMEMBER = "kept"
_REQUESTED_PATH = "next"
_PENDING_SIGN_IN = "pending"
_SET_UP = "set_up"
_REMOVED_PASSKEY = "removed"
_SIGN_OUT_NOTICES = {
    SignedOut.PASSWORD_CHANGED: N_("You were signed out because your password was changed. Please sign in again."),
    SignedOut.ENDED: N_("You were signed out, for example from another device. Please sign in again."),
    SignedOut.CLOSED: N_("Your account is closed. We've emailed you a link, in case you want to keep it after all."),
    SignedOut.EXPIRED: N_("Your session has expired. Please sign in again."),
    SignedOut.UNKNOWN: N_("You're no longer signed in on this device. Please sign in again."),
}


def current_visitor() -> Visitor:
    """Return the sender of the request, for rate limits and the audit log."""
    organisation = current_organisation()
    return Visitor(
        organisation_id=organisation.id,
        organisation_name=organisation.name,
        ip=read_ip(request.remote_addr),
        user_agent=_printable(request.headers.get("User-Agent", "")) or None,
        request_id=g.request_id,
        locale=current_language().tag,
        device=presented_device(),
        browser=session.get("csrf_token"),  # Flask-WTF's: new with each sign-in and sign-out
        is_framed=is_framed(),
    )


def _printable(text: str) -> str:
    return "".join(character for character in text[:USER_AGENT_LENGTH] if character.isprintable())


def _clear(*except_for: str) -> None:
    """Remove everything, including the form token, except the visit, the used links and the keys `except_for`."""
    rest = {name: session[name] for name in (VISIT, emailed_links.USED_LINKS, *except_for) if name in session}
    session.clear()
    session.update(rest)


def sign_in(identity: str, *, remember: bool) -> None:
    """Put a new identity into the session; of what was in it, only the requested path stays."""
    _clear(_REQUESTED_PATH)
    for found in ("customer", "customer_failure"):
        g.pop(found, None)
    session[_IDENTITY] = identity
    session[_REMEMBER] = remember
    session.permanent = remember  # else the cookie ends with the browser


def visit_locale() -> str | None:
    """Return the language of the site that the customer came from, if it has named one (embedding.py)."""
    locale: str | None = session.get(VISIT, {}).get("locale")
    return locale


def presented_identity() -> str | None:
    """Return the identity in the cookie, whether it has ended or not."""
    return session.get(_IDENTITY)


def sign_out() -> None:
    """Remove the identity and the state of this browser from the session."""
    _clear()


def current_customer() -> Customer | None:
    """Return the signed-in customer, if any. One query per request, also if it raises DatabaseUnavailable."""
    if "customer" not in g:
        if failure := g.get("customer_failure"):
            raise failure
        identity = session.get(_IDENTITY)
        try:
            g.customer = (
                identities.find(current_context(), current_organisation().id, identity)
                if identity is not None
                else None
            )
        except DatabaseUnavailable as error:
            g.customer_failure = error
            raise
    customer: Customer | None = g.customer
    return customer


class NotSignedIn(Exception):
    """The requested page is for signed-in customers only; errors.py redirects to the sign-in page."""


def signed_in_customer() -> Customer:
    """Return the signed-in customer; raises NotSignedIn."""
    customer = current_customer()
    if customer is None:
        raise NotSignedIn
    return customer


def hold_pending_sign_in(value: str, after: str | None) -> None:
    """Save a sign-in that waits for the second step, and the path to redirect to afterwards."""
    session[_PENDING_SIGN_IN] = value
    remember_requested_path(after)


def pending_sign_in() -> str | None:
    """Return the sign-in of this browser that waits for the second step, if any."""
    return session.get(_PENDING_SIGN_IN)


def drop_pending_sign_in() -> None:
    """Remove a sign-in that cannot be finished."""
    session.pop(_PENDING_SIGN_IN, None)


def save_set_up(sealed: str) -> None:
    """Save the secret of an app that is being set up, so that the page shows the same one when it is reloaded."""
    session[_SET_UP] = sealed


def saved_set_up() -> str | None:
    """Return the secret of an app that is being set up, encrypted."""
    return session.get(_SET_UP)


def delete_set_up() -> None:
    """Remove the secret of an app that is set up."""
    session.pop(_SET_UP, None)


def remember_removed_passkey(credential_id: str) -> None:
    """Save the id of a passkey that was removed, for the next page to tell the browser."""
    session[_REMOVED_PASSKEY] = credential_id


def take_removed_passkey() -> str | None:
    """Return once the id of the passkey that was removed last."""
    credential_id: str | None = session.pop(_REMOVED_PASSKEY, None)
    return credential_id


def renew(identity: str) -> None:
    """Replace the identity of the session, after the customer has reauthenticated."""
    for found in ("customer", "customer_failure"):
        g.pop(found, None)
    session[_IDENTITY] = identity
    emailed_links.forget_code_requests()


def is_remembered() -> bool:
    """Return whether the customer chose to stay signed in on this device."""
    return bool(session.get(_REMEMBER))


def redirect_to_reauthentication() -> Response:
    """Redirect to the page that confirms the customer's identity, which returns to this one."""
    return redirect(url_for("reauthentication.password", next=request.path))


def redirect_to_sign_in() -> Response:
    """Redirect to the sign-in page, which returns to this one."""
    return redirect(url_for("login.login", next=request.path))


def remember_requested_path(path: str | None) -> None:
    """Save the path to redirect to after a sign-in that takes more than one page."""
    # A cookie that is too large is dropped, and all in it; no path of the portal is that long.
    session[_REQUESTED_PATH] = path if path and len(path) <= STRING_LENGTH else None


def requested_path() -> str | None:
    """Return the path to redirect to after a sign-in by email or with a second step, if any."""
    return session.get(_REQUESTED_PATH)


def take_sign_out_notice() -> str | None:
    """Return once the message (for the translators) that says why the session of this browser has ended.

    None if no session has ended, or if the customer was not looked up or could not be.
    """
    if g.get("customer") or "customer" not in g or "customer_failure" in g or _IDENTITY not in session:
        return None
    try:
        reason = sign_outs.why_ended(current_context(), current_organisation().id, session[_IDENTITY])
    except DatabaseUnavailable:
        return None
    del session[_IDENTITY]
    if reason is SignedOut.CLOSED:  # what a form of the account was to do no longer matters
        session.pop("notice", None)
    return _SIGN_OUT_NOTICES[reason]


def has_notice() -> bool:
    """Return whether a message waits for the next page."""
    return "notice" in session


def set_notice(message: str, link: PageLink | None = None, *, is_done: bool = True, **values: int) -> None:
    """Show a message (one for the translators) once, on the next page and in its language, with a link after it.

    The values are filled in. A message that something is done has a check mark.
    """
    session["notice"] = message
    session["notice_kind"] = "done" if is_done else "reason"
    session.pop("notice_way", None)
    if link:
        session["notice_way"] = link
    session["notice_values"] = values
