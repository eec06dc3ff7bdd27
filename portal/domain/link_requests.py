"""Send a one-time link by email to the owner of an address, at the request of any visitor."""

from datetime import timedelta

from portal.domain import contacts, devices, one_time_links, outbox
from portal.domain.address_changes import is_reserved_for_another
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure
from portal.domain.one_time_links import NewLink
from portal.domain.outbox import NewMail, Notice
from portal.domain.rate_limits import attempt, email_limits
from portal.domain.tokens import Purpose
from portal.domain.values.email import Address
from portal.storage.database import retried

_EMAILS = {
    Purpose.RESET: (Notice.RESET, EventKind.RESET_REQUEST),
    Purpose.SIGN_IN: (Notice.SIGN_IN, EventKind.SIGN_IN_REQUEST),
    Purpose.REAUTHENTICATE: (Notice.REAUTHENTICATE, EventKind.REAUTHENTICATION_REQUEST),
}
"""The email and the audit event of each purpose that can be requested."""


@retried
def email_link(
    context: Context,
    visitor: Visitor,
    address: Address,
    purpose: Purpose,
    lifetime: timedelta | None = None,
) -> str:
    """Queue an email with a new link to a contact who is neither banned nor closed; return the link's public id.

    Earlier links stay valid. For any other address the same statements run and store a decoy. So they do for a former
    address that is reserved for another customer: a contact that registrations have left there must not claim it.
    Raises Refused(TOO_MANY_MAILS), counted for unknown addresses as for known ones.
    """
    notice, kind = _EMAILS[purpose]
    limits = email_limits(context, visitor, address.key, devices.find(context, visitor, address.key))
    counted = attempt(context, visitor, limits, kind, Failure.TOO_MANY_MAILS)
    now = context.clock()
    expires_at = now + (lifetime or context.rules.link_lifetime(purpose))
    with counted, context.database.write() as connection:
        contact = contacts.lock_by_key(connection, visitor.organisation_id, address.key)
        owner_id = contact.id if contact else contacts.NO_CONTACT
        is_reserved = is_reserved_for_another(connection, visitor.organisation_id, address.key, owner_id, now)
        wanted = contact is not None and contact.gets_links(now) and not is_reserved
        contact_id, email, locale = (contact.id, contact.email, contact.locale) if contact else (None, None, None)
        link = one_time_links.issue(connection, NewLink(purpose, contact_id, email, expires_at, usable=wanted), now)
        mail = NewMail(notice, contact_id, email, locale, link_id=link.id, wanted=wanted)
        outbox.queue(connection, visitor, mail, context.clock)
        record(connection, visitor, kind, contact_id=contact_id, now=now)
    return link.public_id
