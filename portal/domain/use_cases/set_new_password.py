"""Set a new password by a reset link."""

from dataclasses import dataclass, field
from datetime import timedelta

from portal.domain import accounts, contacts, devices, one_time_links, sign_ins, sign_outs
from portal.domain.audit_log import EventKind
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import NewIdentity
from portal.domain.mailbox_proof import redeem
from portal.domain.one_time_links import LinkUsed, OpenLink
from portal.domain.password_reuse import PasswordChange, hash_new_password
from portal.domain.rate_limits import account_limit, attempt, device_limit, new_password_limits
from portal.domain.sign_ins import FirstStep, SignIn
from portal.domain.tokens import Purpose, digest_of
from portal.storage.database import retried

REPEATED_WITHIN = timedelta(minutes=10)
"""How long a reset whose answer was lost can be sent again."""


@dataclass(frozen=True)
class Reset:
    """The result of a reset."""

    sign_in: SignIn = field(repr=False)
    """Empty without a sign-in."""
    dropped_registration: bool
    """Whether it ended a pending registration, and so the password that was chosen for it."""
    was_current: bool
    """Whether the new password is the current one."""


@dataclass(frozen=True)
class _SignIn:
    """How to sign in after a reset."""

    remember: bool
    replacing: str | None = field(repr=False)
    """The identity that the browser has so far."""


def get_reset_link(context: Context, visitor: Visitor, token: str) -> OpenLink:
    """Return the unused reset link of a token. Raises Refused."""
    return one_time_links.get_open_link(context, visitor, Purpose.RESET, token)


def set_new_password(context: Context, visitor: Visitor, token: str, password: str) -> bool:
    """Set a new password by a reset link; return whether that ended a pending registration.

    Does not sign the customer in, and the current password counts as used before. Raises what `get_reset_link` and
    `_reset` do.
    """
    link = get_reset_link(context, visitor, token)
    return _reset(context, visitor, link, password, sign_in=None).dropped_registration


def reset_and_sign_in(
    context: Context, visitor: Visitor, link: OpenLink, password: str, *, remember: bool, replacing: str | None
) -> Reset:
    """Set a new password by a reset link and sign the customer in; the identity it is `replacing` ends.

    The current password is accepted too, unless it is locked: an attacker may know it. Raises what `_reset` does.
    """
    return _reset(context, visitor, link, password, sign_in=_SignIn(remember, replacing))


@retried
def _reset(context: Context, visitor: Visitor, link: OpenLink, password: str, sign_in: _SignIn | None) -> Reset:
    """Set a new password by a reset link.

    Of any number of parallel uses one succeeds. It ends every identity, open link and pending registration, unlocks the
    account, and queues the security notice if the password has changed. A refusal leaves the link unused. Raises Busy,
    and Refused (LINK_ENDED, LINK_EXPIRED, and what hash_new_password raises).
    """
    with context.database.read() as connection:
        contact = contacts.find_by_id(connection, link.contact_id)
    if contact is None:  # closed since the link was read
        raise Refused(Failure.LINK_ENDED)
    limits = new_password_limits(context, contact.id)
    change = PasswordChange(EventKind.RESET, limits, may_be_current=sign_in is not None and not contact.is_locked)
    new = hash_new_password(context, visitor, contact, password, change)
    signed_in: SignIn = ""
    with redeem(context, visitor, link) as redeemed:
        connection, current, now = redeemed.connection, redeemed.contact, redeemed.now
        is_kept = new.is_current and current.password_hash == contact.password_hash
        if is_kept:
            accounts.keep_password(connection, current, new.hash, now)
        else:
            accounts.change_password(connection, context, visitor, current, new.hash, now)
        if sign_in:  # the notice of a new password is enough
            first = _first_step(visitor, link, current, sign_in, is_notified=not is_kept)
            signed_in = sign_ins.begin(connection, context, visitor, first, now)
    # The mailbox is proven and the old password is gone, so an attacker's guesses must not block the customer any more.
    key = contact.email_key or ""  # a link has an address
    context.rate_limiter.forget(account_limit(context, visitor, key))
    if device := devices.find(context, visitor, key):
        context.rate_limiter.forget(device_limit(context, device))
    return Reset(signed_in, redeemed.dropped_registration, new.is_current)


@retried
def repeat_reset(
    context: Context, visitor: Visitor, used: LinkUsed, password: str, *, remember: bool, replacing: str | None
) -> SignIn | None:
    """Sign in once more the browser whose reset succeeded but whose answer was lost.

    None unless the same browser sends the same password within REPEATED_WITHIN, and the identity that it did not
    receive is still live: that one ends. Raises Refused (TOO_MANY_LOGINS) and Busy.
    """
    link, started_by = used.link, _form_digest(visitor, used.link)
    if started_by is None or context.clock() >= used.used_at + REPEATED_WITHIN:
        return None
    with context.database.read() as connection:
        is_ours = sign_outs.was_started_by(connection, link.contact_id, started_by)
        contact = contacts.find_by_id(connection, link.contact_id) if is_ours else None
    if contact is None or contact.password_hash is None:
        return None
    limits = new_password_limits(context, contact.id)
    with attempt(context, visitor, limits, EventKind.RESET, Failure.TOO_MANY_LOGINS) as counted:
        matching = context.hasher.matching(password, [contact.password_hash])
        if not matching:
            return None
        counted.give_back()
    now = context.clock()
    with context.database.write() as connection:
        current = contacts.lock(connection, contact.id)
        if current is None or current.password_hash not in matching:
            return None
        if not sign_outs.end_started_by(connection, contact.id, started_by, now):
            return None
        first = _first_step(visitor, link, current, _SignIn(remember, replacing), is_notified=True)
        return sign_ins.begin(connection, context, visitor, first, now)


def _first_step(
    visitor: Visitor, link: OpenLink, contact: ContactCredentials, sign_in: _SignIn, *, is_notified: bool
) -> FirstStep:
    started_by = _form_digest(visitor, link)
    new = NewIdentity(contact.id, sign_in.remember, sign_in.replacing, started_by=started_by, is_proof=True)
    return FirstStep(contact, EventKind.SIGN_IN, new, is_notified)


def _form_digest(visitor: Visitor, link: OpenLink) -> bytes | None:
    """Return a digest that identifies the form of a link in one browser."""
    return None if visitor.browser is None else digest_of(f"{link.public_id} {visitor.browser}")
