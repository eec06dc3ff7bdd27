"""Change the details of a signed-in customer."""

from collections.abc import Mapping

from sqlalchemy import update

from portal.domain import contacts
from portal.domain.audit_log import EventKind, record
from portal.domain.contact_details import ContactDetails, get_contact_details
from portal.domain.context import Context, Visitor
from portal.domain.field_rules import ASKED, PROFILE_FIELDS, Rules
from portal.domain.identities import Customer
from portal.storage.database import retried
from portal.storage.models import Contact

_NAMES = ("first_name", "last_name")


def get_profile(context: Context, customer: Customer) -> ContactDetails:
    """Return the details of a customer; raises CustomerDeleted."""
    with context.database.read() as connection:
        return get_contact_details(connection, customer.id)


@retried
def change_profile(
    context: Context, visitor: Visitor, customer: Customer, changes: Mapping[str, str | bool | None], rules: Rules
) -> None:
    """Store the given fields of the profile, each in its normal form; the others stay as they are.

    So do fields that the organisation does not ask for (`rules`). A new first or last name ends the whole name that a
    shop's server gave, which would hide it. One event is recorded if anything is different afterwards. Raises
    ValueError for a field that customers do not change.
    """
    if not changes.keys() <= PROFILE_FIELDS:
        raise ValueError("not a field of the profile")
    with context.database.write() as connection:
        if contacts.lock(connection, customer.id) is None:  # deleted since the identity was looked up
            return
        known = get_contact_details(connection, customer.id)
        asked = {name: value for name, value in changes.items() if rules[name] in ASKED}
        different = {name: value for name, value in asked.items() if value != getattr(known, name)}
        if not different:
            return
        if not different.keys().isdisjoint(_NAMES):
            different["name"] = None
        connection.execute(update(Contact).where(Contact.c.id == customer.id).values(different))
        record(connection, visitor, EventKind.PROFILE_CHANGE, contact_id=customer.id, now=context.clock())
