"""Request a change of a customer's email address; nothing changes before the new mailbox is proven."""

from datetime import datetime

from portal.domain import address_changes, contacts, identities, one_time_links, outbox
from portal.domain.address_changes import PendingChange
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer
from portal.domain.messages import N_
from portal.domain.notices import notify
from portal.domain.one_time_links import NewLink
from portal.domain.outbox import NewMail, Notice
from portal.domain.rate_limits import attempt, email_limits
from portal.domain.recent_authentication import require_recent_authentication
from portal.domain.tokens import Purpose
from portal.domain.values.email import Address
from portal.storage.database import retried

_SAME = N_("This is already your email address.")


@retried
def request_address_change(context: Context, visitor: Visitor, customer: Customer, address: Address) -> None:
    """Email a link and a code to the new address, and a notice to the present one.

    Earlier requests stay open until one is confirmed or the customer cancels them. The same statements run
    if the address belongs to another customer, who gets an email that says so and holds no link; a banned customer gets
    none, and neither does a former address that is reserved for its customer. Raises NotRecentlyAuthenticated,
    SessionEnded, and Refused (TOO_MANY_MAILS, counted on the new address; ALREADY_REGISTERED for the customer's own
    address, of which another spelling is a change).
    """
    require_recent_authentication(context, customer)
    if address.email == customer.email:
        raise Refused(Failure.ALREADY_REGISTERED, detail=_SAME, field="email")
    kind, limits = EventKind.ADDRESS_CHANGE_REQUEST, email_limits(context, visitor, address.key, device=None)
    now = context.clock()
    with (
        attempt(context, visitor, limits, kind, Failure.TOO_MANY_MAILS),
        context.database.write() as connection,
    ):
        contact = identities.lock_signed_in(connection, customer)
        owner = contacts.lock_by_key(connection, visitor.organisation_id, address.key)
        is_reserved = address_changes.is_reserved_for_another(
            connection, visitor.organisation_id, address.key, contact.id, now
        )
        old = Address(contact.email or "", contact.email_key or "")  # a customer who signs in in a browser has one
        expires_at = now + context.rules.link_lifetime(Purpose.ADDRESS_CHANGE)
        link = one_time_links.issue(connection, NewLink(Purpose.ADDRESS_CHANGE, contact.id, old.email, expires_at), now)
        address_changes.store(connection, link.id, customer, old, address, now)
        if is_reserved or (owner is not None and owner.id != contact.id and not owner.is_unproven):
            mail = _mail_to_owner(owner, now)
        else:
            mail = NewMail(Notice.ADDRESS_CHANGE, contact.id, address.email, contact.locale, link_id=link.id)
        outbox.queue(connection, visitor, mail, context.clock)
        notify(connection, context, visitor, contact, Notice.ADDRESS_REQUESTED)
        record(connection, visitor, kind, contact_id=contact.id, now=now)


def _mail_to_owner(owner: ContactCredentials | None, now: datetime) -> NewMail:
    """Return the email to the customer who has the address already; a decoy, which is never sent, if they get none."""
    if owner is None or owner.is_unproven:
        return NewMail(Notice.ADDRESS_IN_USE, None, None, wanted=False)
    is_notified = not owner.is_banned(now)
    return NewMail(Notice.ADDRESS_IN_USE, owner.id, owner.email, owner.locale, wanted=is_notified)


@retried
def cancel_address_change(context: Context, visitor: Visitor, customer: Customer) -> None:
    """End the requests of a customer that are not confirmed. Raises SessionEnded."""
    now = context.clock()
    with context.database.write() as connection:
        contact = identities.lock_signed_in(connection, customer)
        if address_changes.find_pending(connection, customer, now) is not None:
            one_time_links.end_all(connection, contact.id, now, Purpose.ADDRESS_CHANGE)
            record(connection, visitor, EventKind.ADDRESS_CHANGE_CANCEL, contact_id=contact.id, now=now)


def find_pending_change(context: Context, customer: Customer) -> PendingChange | None:
    """Return the change that a customer has requested and not confirmed."""
    with context.database.read() as connection:
        return address_changes.find_pending(connection, customer, context.clock())


def was_changed_in_session(context: Context, customer: Customer) -> bool:
    """Return whether a change that the customer requested in the present session was confirmed."""
    with context.database.read() as connection:
        return address_changes.was_made_in_session(connection, customer)
