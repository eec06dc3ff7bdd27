"""A link that anybody may ask for, mailed to the one who has the mailbox."""

from datetime import timedelta

from portal.domain import contacts, devices, one_time_links, outbox
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure
from portal.domain.outbox import Notice
from portal.domain.rate_limits import attempt, email_limits
from portal.domain.tokens import Purpose
from portal.domain.values.email import Address
from portal.storage.database import retried

_EMAILS = {
    Purpose.RESET: (Notice.RESET, EventKind.RESET_REQUEST),
    Purpose.SIGN_IN: (Notice.SIGN_IN, EventKind.SIGN_IN_REQUEST),
    Purpose.REAUTHENTICATE: (Notice.REAUTHENTICATE, EventKind.REAUTHENTICATION_REQUEST),
}
"""The email for each purpose that can be asked for, and the event that asking is recorded as."""


@retried
def email_link(
    context: Context,
    visitor: Visitor,
    address: Address,
    purpose: Purpose,
    lifetime: timedelta,
) -> str:
    """Queue a mail with a new link, when the address belongs to a contact who is not banned; returns its public id.

    Asking changes nothing else, and earlier links stay good. For any other address the same statements run, with rows
    that lead to nothing. Raises Refused(TOO_MANY_MAILS), counted for unknown addresses as for known ones.
    """
    notice, kind = _EMAILS[purpose]
    limits = email_limits(context, visitor, address.key, devices.find(context, visitor, address.key))
    counted = attempt(context, visitor, limits, kind, Failure.TOO_MANY_MAILS)
    now = context.clock()
    with counted, context.database.write() as connection:
        contact = contacts.lock_by_key(connection, visitor.organisation_id, address.key)
        wanted = contact is not None and contact.banned_at is None
        contact_id = contact.id if contact else None
        link = one_time_links.issue(
            connection,
            purpose,
            contact_id=contact_id,
            email=contact.email if contact else None,
            now=now,
            expires_at=now + lifetime,
            usable=wanted,
        )
        outbox.queue(
            connection,
            visitor,
            notice,
            contact_id=contact_id,
            recipient=contact.email if contact else None,
            clock=context.clock,
            locale=contact.locale if contact else None,
            link_id=link.id,
            wanted=wanted,
        )
        record(connection, visitor, kind, contact_id=contact_id, now=now)
    return link.public_id
