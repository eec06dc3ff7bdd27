"""Close the customer's own account, which is erased after DELETION_GRACE, and keep it after all."""

from datetime import datetime

from sqlalchemy import Connection, update

from portal.domain import address_changes, contacts, one_time_links, outbox, sign_ins, sign_outs
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.erasure import erase
from portal.domain.identities import Customer
from portal.domain.mailbox_proof import redeem
from portal.domain.one_time_links import NewLink, OpenLink
from portal.domain.outbox import NewMail, Notice
from portal.domain.pending_registrations import make_decoys
from portal.domain.recent_authentication import require_recent_authentication
from portal.domain.tokens import Purpose
from portal.storage.database import retried
from portal.storage.models import Contact


def erased_if_closed_now(context: Context, customer: Customer) -> datetime | None:
    """Return when the account of a customer is erased if it is closed now; None for at once."""
    with context.database.read() as connection:
        return _erase_at(connection, context, customer.id, context.clock())


def _erase_at(connection: Connection, context: Context, contact_id: int, now: datetime) -> datetime | None:
    """Return the end of the grace, or of the time to undo a change of address if that is later: an attacker may have
    changed the address and closed the account.
    """
    grace = context.rules.deletion_grace
    ends = [now + grace] if grace else []
    if undo_until := address_changes.undo_until(connection, contact_id, now):
        ends.append(undo_until)
    return max(ends, default=None)


@retried
def close_account(context: Context, visitor: Visitor, customer: Customer) -> bool:
    """Close the account of a signed-in customer, or erase it where there is no grace.

    In one transaction every identity and open link ends, and the address is answered as an unknown one from then on
    (contacts.py). An email has a link that keeps the account until it is erased. Return False, with nothing changed, if
    the session has ended meanwhile, for example by a reset; an account that is closed already stays as it is. Raises
    NotRecentlyAuthenticated.
    """
    require_recent_authentication(context, customer)
    now = context.clock()
    with context.database.write() as connection:
        contact = contacts.lock(connection, customer.id)
        if contact is None:
            return True
        if not sign_outs.end_one(connection, contact.id, customer.identity_id, now):
            return False
        erase_at = _erase_at(connection, context, contact.id, now)
        if erase_at:
            connection.execute(update(Contact).where(Contact.c.id == contact.id).values(erase_at=erase_at))
            sign_outs.end_all(connection, contact.id, now)
            sign_ins.end_pending(connection, contact.id)
            one_time_links.end_all(connection, contact.id, now)
            make_decoys(connection, contact.id)
            link = one_time_links.issue(connection, NewLink(Purpose.KEEP, contact.id, contact.email, erase_at), now)
            mail = NewMail(Notice.CLOSED, contact.id, contact.email, contact.locale, link.id)
            outbox.queue(connection, visitor, mail, context.clock)
            record(connection, visitor, EventKind.CLOSE, contact_id=contact.id, now=now)
        else:
            erase(connection, context, contact.id)
    if erase_at is None:
        context.database.scrub()
    return True


def get_keep_link(context: Context, visitor: Visitor, token: str) -> OpenLink:
    """Return the unused link of a token that keeps a closed account. Raises Refused."""
    return one_time_links.get_open_link(context, visitor, Purpose.KEEP, token)


@retried
def keep_account(context: Context, visitor: Visitor, link: OpenLink) -> None:
    """Keep a closed account; what its closing ended stays ended, so the customer signs in again.

    It is a proof of the mailbox (mailbox_proof.py). Of a keeping and an erasure at the same moment one succeeds. Raises
    Refused (LINK_ENDED, LINK_EXPIRED).
    """
    with redeem(context, visitor, link) as redeemed:
        connection, contact_id, now = redeemed.connection, redeemed.contact.id, redeemed.now
        contacts.reopen(connection, contact_id)
        one_time_links.end_all(connection, contact_id, now, Purpose.KEEP)
