"""Send the email of a registration again."""

from sqlalchemy import select

from portal.domain import contacts
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure
from portal.domain.passwords.hashing import new_salt
from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.domain.rate_limits import attempt, registration_email_limits
from portal.domain.use_cases.register import StoredRegistration, queue_mail
from portal.domain.values.email import parse_email
from portal.storage.database import retried
from portal.storage.models import Contact, Registration


@retried
def resend(context: Context, visitor: Visitor, registration: str) -> str | None:
    """Send the email of a registration again, by its public id, within the rate limits of emails.

    Return its address, or None if there is no such registration any more. Earlier links stay valid. Raises Refused.

    The email goes to who has the address now: since the registration, a customer may have changed to it or from it.
    """
    now = context.clock()
    find = (
        select(
            Registration.c.id,
            Registration.c.locale,
            Registration.c.ended_at,
            Registration.c.is_decoy,
            Registration.c.email,
        )
        .join(Contact, Contact.c.id == Registration.c.contact_id)
        .where(
            Registration.c.public_id == registration,
            Registration.c.created_at > now - PENDING_LIFETIME,
            Contact.c.organisation_id == visitor.organisation_id,
        )
    )
    with context.database.read() as connection:
        row = connection.execute(find).one_or_none()
    if row is None:
        return None
    address = parse_email(row.email)
    limits = registration_email_limits(context, visitor, address.key)
    counted = attempt(context, visitor, limits, EventKind.RESEND, Failure.TOO_MANY_MAILS)
    with counted, context.database.write() as connection:
        row = connection.execute(find.with_for_update(read=True, key_share=True, of=Registration)).one_or_none()
        if row is None:  # deleted meanwhile with its contact
            return None
        contact = contacts.get_or_create(connection, visitor.organisation_id, address, salt=new_salt(), now=now)
        is_pending = row.ended_at is None and not row.is_decoy
        queue_mail(connection, context, visitor, contact, StoredRegistration(row.id, row.locale, is_pending), now)
        record(connection, visitor, EventKind.RESEND, contact_id=contact.id, now=now)
    return address.email
