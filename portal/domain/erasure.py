"""Erase a customer: delete every row with their data, and tell them by email."""

from collections.abc import Mapping

from sqlalchemy import BindParameter, Connection, Delete, Integer, bindparam, delete, exists, or_, select, update

from portal.domain import one_time_links, outbox
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.outbox import NewMail, Notice
from portal.storage.models import (
    Account,
    AddressChange,
    Contact,
    ContactGroup,
    Device,
    Event,
    FormerPassword,
    Handover,
    Identity,
    Link,
    OutboxMail,
    Passkey,
    PendingSignIn,
    RecoveryCode,
    Registration,
    SecondStep,
    UtcDateTime,
)

_id: BindParameter[int] = bindparam("of_contact", type_=Integer)
_owner = Contact.alias("owner")
_can_be_undone = exists().where(
    Link.c.id == AddressChange.c.undo_link_id, one_time_links.is_open(bindparam("now", type_=UtcDateTime()))
)
"""Whether a change of address was made, and its former owner can undo it by the row."""
_requested_by_others = (
    select(AddressChange.c.id)
    .join(_owner, _owner.c.email_key == AddressChange.c.new_email_key)
    .join(Contact, Contact.c.id == AddressChange.c.contact_id)
    .where(_owner.c.id == _id, _owner.c.organisation_id == Contact.c.organisation_id)
    .where(~_can_be_undone)
)
_DELETIONS: Mapping[str, Delete] = {
    "address changes": delete(AddressChange).where(
        or_(AddressChange.c.contact_id == _id, AddressChange.c.id.in_(_requested_by_others))
    ),
    "mails": delete(OutboxMail).where(OutboxMail.c.contact_id == _id),
    "links": delete(Link).where(Link.c.contact_id == _id),
    "registrations": delete(Registration).where(Registration.c.contact_id == _id),
    "handovers": delete(Handover).where(
        Handover.c.identity_id.in_(select(Identity.c.id).where(Identity.c.contact_id == _id))
    ),
    "identities": delete(Identity).where(Identity.c.contact_id == _id),
    "devices": delete(Device).where(Device.c.contact_id == _id),
    "passkeys": delete(Passkey).where(Passkey.c.contact_id == _id),
    "pending sign-ins": delete(PendingSignIn).where(PendingSignIn.c.contact_id == _id),
    "recovery codes": delete(RecoveryCode).where(RecoveryCode.c.contact_id == _id),
    "second steps": delete(SecondStep).where(SecondStep.c.contact_id == _id),
    "events": delete(Event).where(Event.c.contact_id == _id),
    "former passwords": delete(FormerPassword).where(FormerPassword.c.contact_id == _id),
    "accounts": delete(Account).where(Account.c.contact_id == _id),
    "groups": delete(ContactGroup).where(ContactGroup.c.contact_id == _id),
    "contacts": delete(Contact).where(Contact.c.id == _id),
}
"""The deletions by the operator's word for the rows, in the order of their foreign keys."""


def erase(connection: Connection, context: Context, contact_id: int) -> dict[str, int]:
    """Delete all data of a contact, whose row the caller has locked; return the number of deleted rows by kind.

    This includes identities, links, registrations, unsent emails, and the events, which contain IP addresses and user
    agents. One event of the deletion stays, without the contact. The contact is also removed as the referrer of others.

    A confirmed address gets an email that says so. Its row belongs to no contact, and is deleted as soon as it is sent
    or given up (operations/mail_delivery.py). After the commit the caller scrubs the database (`Database.scrub`).
    """
    now = context.clock()
    columns = (
        Contact.c.organisation_id,
        Contact.c.email,
        Contact.c.locale,
        Contact.c.confirmed_at,
        Contact.c.cu_ref_no,
    )
    contact = connection.execute(select(*columns).where(Contact.c.id == contact_id)).one()
    referred = update(Registration).where(Registration.c.referral == contact.cu_ref_no)
    connection.execute(referred.values(referral=None))
    parameters = {"of_contact": contact_id, "now": now}
    deleted = {kind: connection.execute(statement, parameters).rowcount for kind, statement in _DELETIONS.items()}
    operator = Visitor.operator(contact.organisation_id)  # not the visitor: nothing of the customer is kept
    if contact.email is not None and contact.confirmed_at is not None:
        notice = NewMail(Notice.ERASED, None, contact.email, contact.locale)
        outbox.queue(connection, operator, notice, context.clock)
    record(connection, operator, EventKind.DELETE, contact_id=None, now=now)
    return deleted
