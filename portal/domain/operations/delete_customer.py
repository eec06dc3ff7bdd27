"""Forgetting a customer: every row that says something of them goes, in one transaction."""

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
    Registration,
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
    "events": delete(Event).where(Event.contact_id == _id),
    "former passwords": delete(FormerPassword).where(FormerPassword.contact_id == _id),
    "accounts": delete(Account).where(Account.contact_id == _id),
    "groups": delete(ContactGroup).where(ContactGroup.contact_id == _id),
    "contacts": delete(Contact).where(Contact.id == _id),
}
"""By what the operator calls it. In this order: what refers to something goes before it."""
_forget_reference = (
    update(Registration)
    .where(Registration.referral == select(Contact.cu_ref_no).where(Contact.id == _id).scalar_subquery())
    .values(referral=None)
)


@retried
def delete_customer(context: Context, organisation_id: int, whom: CustomerSelector) -> dict[str, int]:
    """Delete everything kept about a customer, and say how many rows of what there were.

    Whatever was open has ended with that: identities, mailed links, registrations, mails not sent yet. So have the
    events, which hold IP addresses and browsers; one of the deletion itself stays, and names nobody. Whom the customer
    had referred was referred by nobody then. Raises UnknownCustomer.

    What is out of reach here: mails that were sent, logs, backups, and counters of tries, which pass with their time.
    """
    with context.database.write() as connection:
        contact_id = lock_customer(connection, organisation_id, whom)
        removed = _delete(connection, contact_id)
        operator = Visitor.operator(organisation_id)
        record(connection, operator, EventKind.DELETE, contact_id=None, now=context.clock())
    context.database.scrub()
    return removed


def _delete(connection: Connection, contact_id: int) -> dict[str, int]:
    parameters = {"of_contact": contact_id}
    connection.execute(_forget_reference, parameters)
    return {what: connection.execute(statement, parameters).rowcount for what, statement in _DELETIONS.items()}
