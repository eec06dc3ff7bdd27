"""Confirm a change of a customer's email address by the link or code that was emailed to the new one."""

from dataclasses import dataclass

from portal.domain import address_changes, lockout, one_time_links, outbox
from portal.domain.context import Context, Visitor
from portal.domain.identities import Customer
from portal.domain.link_codes import get_open_link_by_code
from portal.domain.mailbox_proof import use_link
from portal.domain.one_time_links import NewLink, OpenLink
from portal.domain.outbox import NewMail, Notice
from portal.domain.pending_registrations import end_open_registrations
from portal.domain.tokens import Purpose
from portal.storage.database import retried


@dataclass(frozen=True)
class RequestedChange:
    """A change that can be confirmed now."""

    link: OpenLink
    email: str
    """The new address."""


def get_requested_change(context: Context, visitor: Visitor, token: str) -> RequestedChange:
    """Return the change that a link confirms. Raises Refused."""
    link = one_time_links.get_open_link(context, visitor, Purpose.ADDRESS_CHANGE, token)
    with context.database.read() as connection:
        return RequestedChange(link, address_changes.get_by_link(connection, link).new.email)


def get_change_link_by_code(context: Context, visitor: Visitor, customer: Customer, code: str) -> OpenLink:
    """Count an attempt to enter a code, and return its link out of those requested in this session. Raises Refused."""
    with context.database.read() as connection:
        requests = address_changes.links_of_session(connection, customer, context.clock())
    return get_open_link_by_code(context, visitor, Purpose.ADDRESS_CHANGE, requests, code)


@retried
def confirm_address_change(context: Context, visitor: Visitor, link: OpenLink) -> None:
    """Give the customer the new address; the former one gets a notice with a link that undoes it.

    Of any number of parallel changes one succeeds: it ends every open link of the customer, but for those that undo an
    earlier change. Sessions stay, even if this is the first proof of a mailbox: it is not the one that they began
    without. Raises Refused (LINK_ENDED, LINK_EXPIRED; ALREADY_REGISTERED if the address was taken meanwhile), which
    leaves the link unused.
    """
    with use_link(context, visitor, link) as used:
        connection, contact, now = used.connection, used.contact, used.now
        change = address_changes.get_by_link(connection, link)
        address_changes.give_address(connection, visitor.organisation_id, contact, change.new, now)
        lockout.reset_mailed_codes(connection, contact.id)
        end_open_registrations(connection, contact.id, now)
        one_time_links.end_all(connection, contact.id, now)
        expires_at = now + context.rules.link_lifetime(Purpose.ADDRESS_UNDO)
        new = NewLink(Purpose.ADDRESS_UNDO, contact.id, change.old.email, expires_at)
        undo_link = one_time_links.issue(connection, new, now)
        address_changes.mark_made(connection, change, undo_link.id, now)
        mail = NewMail(Notice.ADDRESS_CHANGED, contact.id, change.old.email, contact.locale, link_id=undo_link.id)
        outbox.queue(connection, visitor, mail, context.clock)
