"""Set a new password by a reset link."""

from portal.domain import accounts, contacts, devices, one_time_links
from portal.domain.audit_log import EventKind
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.mailbox_proof import redeem
from portal.domain.one_time_links import OpenLink
from portal.domain.password_reuse import hash_new_password
from portal.domain.rate_limits import account_limit, device_limit, new_password_limits
from portal.domain.tokens import Purpose
from portal.storage.database import retried


def get_reset_link(context: Context, visitor: Visitor, token: str) -> OpenLink:
    """Return the unused reset link of a token. Raises Refused."""
    return one_time_links.get_open_link(context, visitor, Purpose.RESET, token)


@retried
def set_new_password(context: Context, visitor: Visitor, token: str, password: str) -> bool:
    """Set a new password by a reset link; return whether that ended a pending registration.

    Of any number of parallel uses one succeeds. It ends every identity, open link and pending registration, unlocks the
    account, and queues the security notice. A refusal leaves the link unused. Raises Busy, and Refused (NO_SUCH_LINK,
    LINK_ENDED, LINK_EXPIRED, and what hash_new_password raises).
    """
    link = get_reset_link(context, visitor, token)
    with context.database.read() as connection:
        contact = contacts.find_by_id(connection, link.contact_id)
    if contact is None:  # deleted since the link was read
        raise Refused(Failure.NO_SUCH_LINK)
    limits = new_password_limits(context, contact.id)
    password_hash = hash_new_password(context, visitor, contact, password, EventKind.RESET, limits)
    with redeem(context, visitor, link) as redeemed:
        accounts.change_password(redeemed.connection, context, visitor, redeemed.contact, password_hash, redeemed.now)
    # The mailbox is proven and the old password is gone, so an attacker's guesses must not block the customer any more.
    key = contact.email_key or ""  # a link has an address
    context.rate_limiter.forget(account_limit(context, visitor, key))
    if device := devices.find(context, visitor, key):
        context.rate_limiter.forget(device_limit(context, device))
    return redeemed.dropped_registration
