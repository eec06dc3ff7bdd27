"""The texts and links of the error page for a refused link from an email."""

from dataclasses import dataclass

from flask import g, request

from portal.domain.context import NOTICE_LINK_LIFETIME
from portal.domain.errors import Failure, Refused
from portal.domain.messages import N_
from portal.domain.one_time_links import LinkUsed
from portal.domain.tokens import Purpose
from portal.i18n import duration_text, translate
from portal.web.emailed_links import remembered_registration
from portal.web.form_page import refusal_text
from portal.web.session import PageLink, current_customer

_CONFIRMED = frozenset({Failure.ALREADY_CONFIRMED, Failure.REGISTRATION_DROPPED})
_TITLES = {
    Failure.NO_SUCH_LINK: N_("This link doesn't work"),
    Failure.LINK_ENDED: N_("This link no longer works"),
    Failure.LINK_EXPIRED: N_("This link has expired"),
    **dict.fromkeys(_CONFIRMED, N_("Your email address is already confirmed")),
}
_USED_MESSAGES = {
    Purpose.RESET: N_("A new password was already set. Each link works once."),
    Purpose.SIGN_IN: N_("The email with it was already used to sign in, by its link or its code. Both work only once."),
    Purpose.NOT_ME: N_("Everyone was signed out with it. Each link works once."),
    Purpose.KEEP: N_("The account was kept with it. Each link works once."),
    Purpose.ADDRESS_CHANGE: N_("The new email address is already confirmed, by this link or by the code in its email."),
    Purpose.ADDRESS_UNDO: N_("The change of email address was undone with it. Each link works once."),
}
_ERASED = N_("The time to keep the account is over, or this isn't one of our links. You can create a new account.")
_UNDO_EXPIRED = N_(
    "A change of email address can be undone for %(time)s, and that time is over. Please contact the shop or service "
    "that the account belongs to."
)


@dataclass(frozen=True)
class LinkError:
    """The texts, links and icon of the page of a refused link; None stands for those of the error's status."""

    title: str | None
    message: str
    links: list[PageLink] | None
    icon: str | None


def link_error(refusal: Refused) -> LinkError:
    """Return what to say of a refused link; its blueprint tells what the link was for."""
    title, message = _TITLES.get(refusal.failure), refusal_text(refusal)
    if isinstance(refusal, LinkUsed) and refusal.link.purpose in _USED_MESSAGES:
        message = translate(_USED_MESSAGES[refusal.link.purpose])
    elif request.blueprint == "account_data" and refusal.failure in (Failure.LINK_EXPIRED, Failure.NO_SUCH_LINK):
        message = translate(_ERASED)
    elif request.endpoint == "address_change.undo" and refusal.failure is Failure.LINK_EXPIRED:
        message = translate(_UNDO_EXPIRED, time=duration_text(NOTICE_LINK_LIFETIME))
    icon = "circle-check" if refusal.failure in _CONFIRMED else None
    return LinkError(title, message, _links_for(refusal.failure), icon)


def _links_for(failure: Failure) -> list[PageLink] | None:
    """Return the links for a customer whose link from an email is invalid; None (the account) if signed in."""
    if request.blueprint == "not_me":
        return [("password.request_reset", N_("Set a new password")), home_link()]
    if current_customer() is not None:
        return None
    sign_in = ("login.login", N_("Sign in"))
    if request.blueprint == "password":
        return [("password.request_reset", N_("Ask for a new link")), sign_in]
    if request.blueprint == "mail_sign_in":
        return [("mail_sign_in.request", N_("Ask for a new link")), ("login.login", N_("Sign in with a password"))]
    if request.blueprint == "account_data":
        return [sign_in] if failure is Failure.LINK_ENDED else [sign_in, ("register.register", N_("Create an account"))]
    if request.blueprint != "register":
        return None
    if failure is Failure.REGISTRATION_DROPPED:
        return [("mail_sign_in.request", N_("Sign in by email")), ("password.request_reset", N_("Set a new password"))]
    if failure in (Failure.ALREADY_CONFIRMED, Failure.LINK_ENDED):
        return [sign_in, ("password.request_reset", N_("Forgot your password?"))]
    if remembered_registration():
        return [("register.code", N_("Enter the code, or resend the email")), sign_in]
    return [("login.login", N_("Sign in to resend the email")), ("register.register", N_("Create an account"))]


def home_link() -> PageLink:
    """Return the link to the account, or to the sign-in page if the customer is not signed in."""
    return ("account.home", N_("Go to your account")) if g.get("customer") else ("login.login", N_("Go to sign in"))
