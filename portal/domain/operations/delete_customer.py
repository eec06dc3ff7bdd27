"""Delete a customer: every row with their data, in one transaction."""

from collections.abc import Mapping

from sqlalchemy import BindParameter, Connection, Delete, Integer, bindparam, delete, select, update

from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.operations.customers import CustomerSelector, lock_customer
from portal.storage.database import retried
from portal.storage.models import (
    Account,
    Contact,
    ContactGroup,
    Device,
    Event,
    FormerPassword,
    Handover,
    Identity,
    Link,
    OutboxMail,
    PendingSignIn,
    RecoveryCode,
    Registration,
    SecondStep,
)

_id: BindParameter[int] = bindparam("of_contact", type_=Integer)
_DELETIONS: Mapping[str, Delete] = {
    "mails": delete(OutboxMail).where(OutboxMail.contact_id == _id),
    "links": delete(Link).where(Link.contact_id == _id),
    "registrations": delete(Registration).where(Registration.contact_id == _id),
    "handovers": delete(Handover).where(
        Handover.identity_id.in_(select(Identity.id).where(Identity.contact_id == _id))
    ),
    "identities": delete(Identity).where(Identity.contact_id == _id),
    "devices": delete(Device).where(Device.contact_id == _id),
    "pending sign-ins": delete(PendingSignIn).where(PendingSignIn.contact_id == _id),
    "recovery codes": delete(RecoveryCode).where(RecoveryCode.contact_id == _id),
    "second steps": delete(SecondStep).where(SecondStep.contact_id == _id),
    "events": delete(Event).where(Event.contact_id == _id),
    "former passwords": delete(FormerPassword).where(FormerPassword.contact_id == _id),
    "accounts": delete(Account).where(Account.contact_id == _id),
    "groups": delete(ContactGroup).where(ContactGroup.contact_id == _id),
    "contacts": delete(Contact).where(Contact.id == _id),
}
"""The deletions by the operator's word for the rows, in the order of their foreign keys."""
_delete_referral = (
    update(Registration)
    .where(Registration.referral == select(Contact.cu_ref_no).where(Contact.id == _id).scalar_subquery())
    .values(referral=None)
)


@retried
def delete_customer(context: Context, organisation_id: int, selector: CustomerSelector) -> dict[str, int]:
    """Delete all data of a customer; return the number of deleted rows by kind.

    This includes identities, links, registrations, unsent emails, and the events, which contain IP addresses and user
    agents. One event of the deletion stays, without the contact. The customer is also removed as the referrer of
    others. Raises UnknownCustomer.

    Sent emails, logs, backups, and the counters of rate limits (until they expire) are not deleted.
    """
    with context.database.write() as connection:
        contact_id = lock_customer(connection, organisation_id, selector)
        removed = _delete(connection, contact_id)
        operator = Visitor.operator(organisation_id)
        record(connection, operator, EventKind.DELETE, contact_id=None, now=context.clock())
    context.database.scrub()
    return removed


def _delete(connection: Connection, contact_id: int) -> dict[str, int]:
    parameters = {"of_contact": contact_id}
    connection.execute(_delete_referral, parameters)
    return {kind: connection.execute(statement, parameters).rowcount for kind, statement in _DELETIONS.items()}
