"""The browser's cookie: which identity it carries, and what it remembers of a registration."""

import json
from collections.abc import Mapping

from flask import g, redirect, request, session, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal.app import current_context
from portal.domain import identities
from portal.domain.context import Visitor
from portal.domain.identities import Customer, SignedOut
from portal.domain.messages import N_
from portal.domain.tokens import Purpose
from portal.domain.values.ip_addresses import read_ip
from portal.i18n import current_language
from portal.storage.backends import DatabaseUnavailable
from portal.storage.models import STRING_LENGTH, USER_AGENT_LENGTH
from portal.web.cookies import is_framed, presented_device
from portal.web.organisation import current_organisation

VISIT = "visit"
_IDENTITY = "identity"
_KEPT = "kept"
Way = tuple[str, str]
"""Where a page leads on: an endpoint, and the words of the link."""
_REGISTRATION = "registration"
_MAILED_TO = "mailed_to"
_SIGN_INS = "sign_ins"
_CODES = "codes"
_FORM = "form"
_PENDING = "pending"
_SET_UP = "set_up"
_KEPT_FORM_LENGTH = 1000
"""Characters."""
_WANTED = "next"
_LINKS = "links"
_USED = "used"
_ADDRESS = "address"
_TYPED = "typed"
_TYPED_LENGTH = 700
"""Bytes of what was typed into a form that are kept; a longer form is kept without."""
_REMEMBERED_LINKS = 5
_LINK_PREFIX = 12
"""Characters of a link's public id that tell it from all others."""
_NOT_TYPED = frozenset({"csrf_token", "locale", "next"})
_SIGNED_OUT = {
    SignedOut.PASSWORD_CHANGED: N_("You were signed out because your password was changed. Please sign in again."),
    SignedOut.ENDED: N_("You were signed out, for example from another device. Please sign in again."),
    SignedOut.EXPIRED: N_("Your session has expired. Please sign in again."),
}
_REMEMBERED_SIGN_INS = 3
"""As many mails as somebody may have asked for one after another; the code of each is accepted."""


def current_visitor() -> Visitor:
    """Who is asking, for limits and the record of events."""
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


def _clear(*kept: str) -> None:
    """Forget everything, the form token too, but for which site the customer came from and which links were used."""
    remembered = {name: session[name] for name in (VISIT, _USED, *kept) if name in session}
    session.clear()
    session.update(remembered)


def sign_in(identity: str, *, remember: bool) -> None:
    """Put a new identity into a cookie that holds nothing of before but where the customer wanted to go."""
    _clear(_WANTED)
    for found in ("customer", "customer_failure"):
        g.pop(found, None)
    session[_IDENTITY] = identity
    session[_KEPT] = remember
    session.permanent = remember  # else the cookie ends with the browser


def visited_in() -> str | None:
    """The language of the site that the customer came from, if it said so (embedding.py)."""
    locale: str | None = session.get(VISIT, {}).get("locale")
    return locale


def carried_identity() -> str | None:
    """The identity in the cookie, alive or not."""
    return session.get(_IDENTITY)


def sign_out() -> None:
    """Empty the cookie."""
    _clear()


def current_customer() -> Customer | None:
    """The customer who is signed in. One query a request, also when it raised DatabaseUnavailable."""
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
    """A page was asked for that only a signed-in customer may see; errors.py sends them to sign in."""


def signed_in_customer() -> Customer:
    """The customer who is signed in; raises NotSignedIn."""
    customer = current_customer()
    if customer is None:
        raise NotSignedIn
    return customer


def hold_pending_sign_in(value: str, after: str | None) -> None:
    """Know this browser as the one whose sign-in waits for the second step, and where it wants to go."""
    session[_PENDING] = value
    session[_WANTED] = after if after and len(after) <= STRING_LENGTH else None


def pending_sign_in() -> str | None:
    """What this browser holds of a sign-in that waits for the second step."""
    return session.get(_PENDING)


def drop_pending_sign_in() -> None:
    """Forget a sign-in that cannot go on."""
    session.pop(_PENDING, None)


def keep_set_up(sealed: str) -> None:
    """Keep the secret of an app that is being set up, so that the page shows the same one when it is loaded again."""
    session[_SET_UP] = sealed


def kept_set_up() -> str | None:
    """The secret of an app that is being set up, encrypted."""
    return session.get(_SET_UP)


def forget_set_up() -> None:
    """Forget the secret of an app that is set up."""
    session.pop(_SET_UP, None)


def renew(identity: str) -> None:
    """Go on in the same session under a new identity."""
    for found in ("customer", "customer_failure"):
        g.pop(found, None)
    session[_IDENTITY] = identity
    session.pop(_CODES, None)


def remember_code_request(public_id: str) -> None:
    """Know this browser as the one that asked for a code to confirm who sits there."""
    session[_CODES] = [*code_requests(), public_id][-_REMEMBERED_SIGN_INS:]


def code_requests() -> list[str]:
    """The codes that this browser asked for, by their public ids, the newest last."""
    return list(session.get(_CODES, ()))


def keep_form(path: str, fields: dict[str, str]) -> None:
    """Keep what was typed into a form until the customer has confirmed who they are; too much is not kept.

    The cookie has room for little more than an address.
    """
    if sum(map(len, (path, *fields, *fields.values()))) <= _KEPT_FORM_LENGTH:
        session[_FORM] = [path, fields]


def take_kept_form(path: str) -> dict[str, str]:
    """What was typed into the form of a page before the customer was asked to confirm who they are; once."""
    kept_path, fields = session.get(_FORM, (None, {}))
    if kept_path != path:
        return {}
    del session[_FORM]
    return dict(fields)


def is_remembered() -> bool:
    """Whether the customer asked to be kept signed in."""
    return bool(session.get(_KEPT))


def to_reauthentication() -> Response:
    """Where somebody goes who must confirm who they are first; they come back here afterwards."""
    return redirect(url_for("reauthentication.password", next=request.path))


def to_sign_in() -> Response:
    """Where somebody goes who must sign in first; they come back here afterwards."""
    return redirect(url_for("login.login", next=request.path))


def remember_registration(public_id: str, email: str) -> None:
    """Know this browser as the one that registered."""
    session[_REGISTRATION] = public_id
    session[_MAILED_TO] = email


def remembered_registration() -> str | None:
    """The registration that this browser made, by its public id."""
    return session.get(_REGISTRATION)


def remember_sign_in_request(public_id: str, email: str, after: str | None) -> None:
    """Know this browser as the one that asked for a mail to sign in, and where it wanted to go."""
    session[_SIGN_INS] = [*sign_in_requests(), public_id][-_REMEMBERED_SIGN_INS:]
    session[_MAILED_TO] = email
    # A cookie that grows too large is dropped, and its code with it; no path of ours is that long.
    session[_WANTED] = after if after and len(after) <= STRING_LENGTH else None


def sign_in_requests() -> list[str]:
    """The mails to sign in that this browser asked for, by their public ids, the newest last."""
    return list(session.get(_SIGN_INS, ()))


def wanted_path() -> str | None:
    """Where this browser wanted to go when it asked for a mail to sign in."""
    return session.get(_WANTED)


def remember_address(text: str | None) -> None:
    """Keep the address that was typed last, for the other forms that ask for it; of what is none at all nothing."""
    if text and len(text) <= STRING_LENGTH:
        session[_ADDRESS] = text


def typed_address() -> str | None:
    """The address that was typed last in this browser, since the last sign-in or sign-out."""
    return session.get(_ADDRESS)


def keep_typed(path: str, form: Mapping[str, str]) -> None:
    """Keep what was typed into the form of a page, but for passwords, to show it there again."""
    remember_address(form.get("email"))
    typed = {name: value for name, value in form.items() if value and name not in _NOT_TYPED and "password" not in name}
    if len(json.dumps(typed)) <= _TYPED_LENGTH:
        session[_TYPED] = (path, typed)


def typed_at(path: str) -> MultiDict[str, str] | None:
    """What was typed into the form of a page, as the form reads it; None for nothing."""
    kept_path, typed = session.get(_TYPED, ("", {}))
    return MultiDict(typed) if kept_path == path and typed else None


def forget_typed() -> None:
    """Forget what was typed: a form was sent since."""
    session.pop(_TYPED, None)


def hold_link(purpose: Purpose, public_id: str) -> None:
    """Keep the link that was opened last for a purpose: the page stays the same when its address has lost the token."""
    if session.get(_LINKS, {}).get(purpose) != public_id:
        session[_LINKS] = {**session.get(_LINKS, {}), purpose: public_id}


def held_link(purpose: Purpose) -> str | None:
    """The public id of the link that was opened last for a purpose."""
    public_id: str | None = session.get(_LINKS, {}).get(purpose)
    return public_id


def remember_used_link(public_id: str) -> None:
    """Know this browser as the one that used a link."""
    session[_USED] = [*session.get(_USED, ()), public_id[:_LINK_PREFIX]][-_REMEMBERED_LINKS:]


def has_used_link(public_id: str) -> bool:
    """Return whether this browser used a link and heard of it."""
    return public_id[:_LINK_PREFIX] in session.get(_USED, ())


def take_sign_out_notice() -> str | None:
    """Return why this browser is not signed in any more, once: the message is for the translators.

    None where nothing has ended, or where the customer was not looked up or could not be.
    """
    if g.get("customer") or "customer" not in g or "customer_failure" in g or _IDENTITY not in session:
        return None
    try:
        reason = identities.why_ended(current_context(), current_organisation().id, session[_IDENTITY])
    except DatabaseUnavailable:
        return None
    del session[_IDENTITY]
    return _SIGNED_OUT[reason]


def remember_mailed_to(email: str) -> None:
    """Keep the address that was typed, to show it on the page that follows."""
    session[_MAILED_TO] = email


def mailed_to() -> str | None:
    """The address that a mail was asked for from this browser."""
    return session.get(_MAILED_TO)


def give_notice(message: str, way: Way | None = None) -> None:
    """Show a message (one for the translators), once, on the next page, in the language that page will have.

    `way` is a link after it: an endpoint, and the link's words (for the translators, too).
    """
    session["notice"] = message
    session.pop("notice_way", None)
    if way:
        session["notice_way"] = way
