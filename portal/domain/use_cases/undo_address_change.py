"""Undo a change of a customer's email address, by the link that was emailed to the former one."""

from portal.domain import (
    accounts,
    address_changes,
    contacts,
    devices,
    lockout,
    one_time_links,
    outbox,
    passkeys,
    second_step,
    sign_ins,
    sign_outs,
)
from portal.domain.context import Context, Visitor
from portal.domain.mailbox_proof import redeem
from portal.domain.one_time_links import NewLink, OpenLink
from portal.domain.outbox import NewMail, Notice
from portal.domain.tokens import Purpose
from portal.storage.database import retried


def get_undo_link(context: Context, visitor: Visitor, token: str) -> OpenLink:
    """Return the unused link that undoes a change; its address is the one that comes back. Raises Refused."""
    return one_time_links.get_open_link(context, visitor, Purpose.ADDRESS_UNDO, token)


@retried
def undo_address_change(context: Context, visitor: Visitor, link: OpenLink) -> str:
    """Give the customer the former address again; return the public id of a new link that sets a new password.

    An attacker may have changed the address. So an account that was closed since is open again; every session and every
    open link ends, those that undo later changes too; and every way to sign in that was added since the change
    was requested is removed: known devices, passkeys, a second step, and a password that was set since then. An older
    password, which the attacker may know, is locked until the next proof of the mailbox. The link is emailed to the
    address as well, and the address that the account loses gets a notice. Raises Refused (LINK_ENDED, LINK_EXPIRED,
    ALREADY_REGISTERED), which leaves the link unused.
    """
    with redeem(context, visitor, link) as redeemed:
        connection, contact, now = redeemed.connection, redeemed.contact, redeemed.now
        change = address_changes.get_by_link(connection, link)
        contact = contacts.reopen(connection, contact.id)
        address_changes.give_address(connection, visitor.organisation_id, contact, change.old, now)
        sign_outs.end_all(connection, contact.id, now)
        sign_ins.end_pending(connection, contact.id)
        one_time_links.end_all(connection, contact.id, now)
        address_changes.end_later(connection, contact.id, change, now)
        # Every way to sign in that was added since the change was requested is removed here.
        devices.forget_since(connection, contact.id, change.requested_at)
        passkeys.remove_since(connection, contact.id, change.requested_at)
        second_step.remove_since(connection, contact.id, change.requested_at)
        accounts.remove_password_set_since(connection, contact, change.requested_at, now)
        lockout.lock_password(connection, contact.id)
        expires_at = now + context.rules.link_lifetime(Purpose.RESET)
        reset = one_time_links.issue(connection, NewLink(Purpose.RESET, contact.id, change.old.email, expires_at), now)
        mails = [NewMail(Notice.ADDRESS_RESTORED, contact.id, change.old.email, contact.locale, link_id=reset.id)]
        if contact.email != change.old.email:
            mails.append(NewMail(Notice.ADDRESS_UNDONE, contact.id, contact.email, contact.locale))
        for mail in mails:
            outbox.queue(connection, visitor, mail, context.clock)
    return reset.public_id
