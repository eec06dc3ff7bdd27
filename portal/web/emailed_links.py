"""What the session cookie remembers of emails: requests of this browser, and links that it opened and used."""

from flask import session

from portal.domain.tokens import Purpose

USED_LINKS = "used"
_REGISTRATION = "registration"
_MAILED_ADDRESSES = "mailed"
_SIGN_IN_REQUESTS = "sign_ins"
_KEEP_SIGNED_IN = "stay"
_CODE_REQUESTS = "codes"
_OPENED_LINKS = "links"
_MAX_USED_LINKS = 5
_LINK_PREFIX = 12
"""Characters of a link's public id: enough to be unique."""
_MAX_REQUESTS = 3
"""Requests for an email with a code that a browser remembers; each of their codes is accepted."""


def remember_registration(public_id: str, email: str) -> None:
    """Remember that this browser made a registration."""
    session[_REGISTRATION] = public_id
    remember_mailed_to(Purpose.VERIFY, email)


def remembered_registration() -> str | None:
    """Return the public id of the registration that this browser made, if any."""
    return session.get(_REGISTRATION)


def remember_sign_in_request(public_id: str, email: str, *, keep_signed_in: bool) -> None:
    """Remember that this browser requested an email to sign in, and whether it is to stay signed in."""
    session[_SIGN_IN_REQUESTS] = [*sign_in_requests(), public_id][-_MAX_REQUESTS:]
    remember_mailed_to(Purpose.SIGN_IN, email)
    session[_KEEP_SIGNED_IN] = keep_signed_in


def wants_to_stay_signed_in() -> bool:
    """Return whether the customer ticked the box when they last requested an email to sign in."""
    return bool(session.get(_KEEP_SIGNED_IN))


def sign_in_requests() -> list[str]:
    """Return the public ids of the sign-in emails that this browser requested, the newest last."""
    return list(session.get(_SIGN_IN_REQUESTS, ()))


def remember_code_request(public_id: str) -> None:
    """Remember that this browser requested a code to reauthenticate."""
    session[_CODE_REQUESTS] = [*code_requests(), public_id][-_MAX_REQUESTS:]


def forget_code_requests() -> None:
    """Forget the codes that this browser requested."""
    session.pop(_CODE_REQUESTS, None)


def code_requests() -> list[str]:
    """Return the public ids of the codes that this browser requested, the newest last."""
    return list(session.get(_CODE_REQUESTS, ()))


def remember_mailed_to(purpose: Purpose, email: str) -> None:
    """Save the address that an email was requested for, to show it on the next page.

    Each purpose has its own, because their pages can be open in several tabs.
    """
    session[_MAILED_ADDRESSES] = {**session.get(_MAILED_ADDRESSES, {}), purpose: email}


def mailed_to(purpose: Purpose) -> str | None:
    """Return the address that this browser last requested an email for, if any."""
    address: str | None = session.get(_MAILED_ADDRESSES, {}).get(purpose)
    return address


def remember_opened_link(purpose: Purpose, public_id: str) -> None:
    """Remember the link that was opened last for a purpose, so that its page can be reloaded without the token."""
    if session.get(_OPENED_LINKS, {}).get(purpose) != public_id:
        session[_OPENED_LINKS] = {**session.get(_OPENED_LINKS, {}), purpose: public_id}


def last_opened_link(purpose: Purpose) -> str | None:
    """Return the public id of the link that was opened last for a purpose, if any."""
    public_id: str | None = session.get(_OPENED_LINKS, {}).get(purpose)
    return public_id


def remember_used_link(public_id: str) -> None:
    """Remember that this browser used a link."""
    session[USED_LINKS] = [*session.get(USED_LINKS, ()), public_id[:_LINK_PREFIX]][-_MAX_USED_LINKS:]


def has_used_link(public_id: str) -> bool:
    """Return whether this browser used a link and received the response."""
    return public_id[:_LINK_PREFIX] in session.get(USED_LINKS, ())
