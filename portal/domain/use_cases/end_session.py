"""End sessions of a customer from another one.

The changes of address that were requested in them end too: an attacker may have requested one.
"""

from portal.domain import address_changes, contacts, sign_outs
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.identities import Customer
from portal.domain.notices import notify
from portal.domain.outbox import Notice
from portal.storage.database import retried


class UnknownSession(LookupError):
    """The customer has no session with this id; sessions of others count as unknown."""


@retried
def end_session(context: Context, visitor: Visitor, customer: Customer, session_id: int) -> None:
    """End one session of a customer, and the one that it was handed over to or from.

    One that has ended already is no failure. Raises UnknownSession.
    """
    now = context.clock()
    with context.database.write() as connection:
        was_alive = sign_outs.end_one(connection, customer.id, session_id, now)
        if was_alive is None:
            raise UnknownSession
        if was_alive:
            address_changes.end_requests_of_ended_sessions(connection, customer.id, now)
            record(connection, visitor, EventKind.SESSION_END, contact_id=customer.id, now=now)


@retried
def end_other_sessions(context: Context, visitor: Visitor, customer: Customer) -> None:
    """End every session of a customer but the one in use; tell them by email if there was any."""
    now = context.clock()
    with context.database.write() as connection:
        contact = contacts.lock(connection, customer.id)
        if contact is not None and sign_outs.end_others(connection, customer.id, customer.identity_id, now):
            address_changes.end_requests_of_ended_sessions(connection, customer.id, now)
            record(connection, visitor, EventKind.SESSIONS_END, contact_id=customer.id, now=now)
            notify(connection, context, visitor, contact, Notice.SESSIONS_ENDED)
