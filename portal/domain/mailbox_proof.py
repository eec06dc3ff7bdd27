"""Redeem a link or code from an email: the proof of the mailbox, the same for every purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from portal.domain import address_changes, contacts, one_time_links, sign_outs
from portal.domain.audit_log import record, refusals_recorded
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.one_time_links import REDEMPTIONS, OpenLink
from portal.domain.pending_registrations import end_open_registrations
from portal.domain.tokens import Purpose

_OF_CLOSED = frozenset({Purpose.KEEP, Purpose.ADDRESS_UNDO})
"""The purposes of links that work for a closed account: an attacker may have changed its address and closed it."""


@dataclass(frozen=True)
class UsedLink:
    """A link that was just used, in a transaction that is still open."""

    connection: Connection
    contact: ContactCredentials
    """Locked; as it was before."""
    now: datetime


@dataclass(frozen=True)
class RedeemedLink(UsedLink):
    """A link that was just used, and has proven the mailbox."""

    dropped_registration: bool
    """Whether this ended a pending registration, and so the password that was chosen for it."""


@contextmanager
def use_link(context: Context, visitor: Visitor, link: OpenLink) -> Iterator[UsedLink]:
    """Use a link or its code, in one transaction with the block.

    Of any number of parallel uses one succeeds. Raises Refused (LINK_ENDED, LINK_EXPIRED). That, or a Refused of the
    block, is recorded as an event and leaves the link unused.
    """
    now, kind = context.clock(), REDEMPTIONS[link.purpose]
    with refusals_recorded(context, visitor, kind, link.contact_id), context.database.write() as connection:
        lock = contacts.lock_even_closed if link.purpose in _OF_CLOSED else contacts.lock
        contact = lock(connection, link.contact_id)
        one_time_links.consume(connection, link, now)
        if contact is None or contact.is_banned(now):
            raise Refused(Failure.LINK_ENDED)
        if link.purpose is not Purpose.SIGN_IN:  # which is recorded when the customer is signed in (sign_ins.py)
            record(connection, visitor, kind, contact_id=contact.id, now=now)
        yield UsedLink(connection, contact, now)


@contextmanager
def redeem(
    context: Context, visitor: Visitor, link: OpenLink, *, written_email: str | None = None
) -> Iterator[RedeemedLink]:
    """Use a link or its code as `use_link` does, as a proof of the contact's mailbox.

    This confirms the address, in the spelling `written_email` if none was confirmed before, unlocks the password, and
    ends all open registrations and their links. The first proof also ends every identity and the changes of address
    requested in them, because all of them began without a proof (by magic auth, or with an imported password).
    """
    with use_link(context, visitor, link) as used:
        connection, contact, now = used.connection, used.contact, used.now
        if written_email is not None:
            contacts.confirm(connection, contact.id, written_email, now)
        contacts.prove_mailbox(connection, contact.id, now)
        if contact.proven_at is None:
            sign_outs.end_all(connection, contact.id, now)
            address_changes.end_requests_of_ended_sessions(connection, contact.id, now)
        dropped = end_open_registrations(connection, contact.id, now)
        yield RedeemedLink(connection, contact, now, dropped)
