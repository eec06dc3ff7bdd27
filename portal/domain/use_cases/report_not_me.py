"""End an attacker's access to an account: the button behind "This wasn't me" in a notice."""

from portal.domain import devices, lockout, one_time_links, passkeys, second_step, sign_ins, sign_outs
from portal.domain.context import Context, Visitor
from portal.domain.mailbox_proof import redeem
from portal.domain.one_time_links import NewLink, OpenLink
from portal.domain.tokens import Purpose
from portal.storage.database import retried


def get_not_me_link(context: Context, visitor: Visitor, token: str) -> OpenLink:
    """Return the unused link of a token. Raises Refused."""
    return one_time_links.get_open_link(context, visitor, Purpose.NOT_ME, token)


def has_second_step(context: Context, link: OpenLink) -> bool:
    """Return whether the account of a link signs in with a second step, which a proof of the mailbox does not end."""
    with context.database.read() as connection:
        return second_step.is_on(connection, link.contact_id)


@retried
def report_not_me(context: Context, visitor: Visitor, link: OpenLink) -> str:
    """End all access to an account except through the mailbox; return the public id of a link to set a new password.

    All identities and open links end, no device is known any more, and all passkeys are removed, because one may be an
    attacker's. A second step stays: only the operator turns it off, since whoever reads the emails could have pressed
    the button. The password, which an attacker may know, is locked until a proof of the mailbox. The link proves the
    mailbox, so the new one needs no email. Of any number of parallel uses one succeeds. Raises Refused (LINK_ENDED,
    LINK_EXPIRED).
    """
    with redeem(context, visitor, link) as redeemed:
        connection, contact, now = redeemed.connection, redeemed.contact, redeemed.now
        sign_outs.end_all(connection, contact.id, now)
        sign_ins.end_pending(connection, contact.id)
        one_time_links.end_all(connection, contact.id, now)
        devices.forget_all(connection, contact.id)
        passkeys.remove_all(connection, contact.id)
        if contact.password_hash is not None:
            lockout.lock_password(connection, contact.id)
        expires_at = now + context.rules.link_lifetime(Purpose.RESET)
        reset = NewLink(Purpose.RESET, contact.id, link.email, expires_at)
        return one_time_links.issue(connection, reset, now).public_id
