"""A proof of the mailbox: what a used link or code from an email changes, whatever it was mailed for."""

from datetime import datetime

from sqlalchemy import Connection

from portal.domain import contacts, identities
from portal.domain.contacts import ContactCredentials
from portal.domain.pending_registrations import end_open_registrations


def record_mailbox_proof(connection: Connection, contact: ContactCredentials, now: datetime) -> bool:
    """Record that the owner of a contact's mailbox has proven it; return whether a pending registration ended with it.

    The address is confirmed, a locked password opens, and all open registrations and their links end. The first proof
    also ends every identity: it began without a proof of the mailbox (by the word of a shop, say). So
    call this before the identity of the customer who proves it now begins. `contact` was read under its lock.
    """
    contacts.prove_mailbox(connection, contact.id, now)
    if contact.proven_at is None:
        identities.end_all(connection, contact.id, now)
    return end_open_registrations(connection, contact.id, now)
