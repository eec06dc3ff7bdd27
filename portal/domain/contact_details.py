"""What is known of a contact beside the address, and the one rule by which more of it is taken over."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from sqlalchemy import Connection, ScalarSelect, bindparam, func, literal, or_, select, update
from sqlalchemy.orm import aliased

from portal.domain.contacts import insert_unless_there
from portal.storage.models import Contact, ContactGroup

MAX_GROUPS = 50
"""Groups of one customer in one request or import."""
_API_NAMES = {"locale": "primaryLocale", "referral": "referralId"}


def api_name(column: str) -> str:
    """The API's name for a column: street_address is streetAddress there."""
    first, *rest = column.split("_")
    return _API_NAMES.get(column) or first + "".join(part.title() for part in rest)


@dataclass(frozen=True, kw_only=True)
class ContactDetails:
    """Each in its normal form (values/); None is what nobody has said."""

    name: str | None = None
    """The whole name, where it is given as one."""
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    company_name: str | None = None
    company_registration_number: str | None = None
    tax_identification_number: str | None = None
    street_address: str | None = None
    city: str | None = None
    city_part: str | None = None
    state_region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    locale: str | None = None
    newsletter: bool = False
    groups: tuple[str, ...] = ()
    referral: str | None = None
    """The customer reference number of who sent them."""

    def texts(self) -> dict[str, str | None]:
        """Those that are a text, by the names of their columns."""
        return {name: getattr(self, name) for name in TEXT_FIELDS}


TEXT_FIELDS = tuple(
    field.name for field in fields(ContactDetails) if field.name not in ("newsletter", "groups", "referral")
)
"""The details that are a text: columns of the same name in `contact` and `registration` (DetailColumns)."""


_referring = aliased(Contact)
_known = (
    select(*(getattr(Contact, name) for name in (*TEXT_FIELDS, "newsletter")), _referring.cu_ref_no.label("referral"))
    .outerjoin(_referring, _referring.id == Contact.referred_by_id)
    .where(Contact.id == bindparam("contact_id"))
)
_groups = (
    select(ContactGroup.name).where(ContactGroup.contact_id == bindparam("contact_id")).order_by(ContactGroup.name)
)


def get_contact_details(connection: Connection, contact_id: int) -> ContactDetails:
    """What is known of a contact."""
    known = connection.execute(_known, {"contact_id": contact_id}).one()
    groups = connection.execute(_groups, {"contact_id": contact_id}).scalars()
    return ContactDetails(**known._asdict(), groups=tuple(groups))


def fill_empty_fields(
    connection: Connection, organisation_id: int, contact_id: int, details: ContactDetails, *, ip: str | None
) -> None:
    """Take over details where nothing was known before; the caller holds the contact's row.

    Groups are added to those there are, a newsletter is never ended, and who referred the contact is another customer
    of the same organisation or nobody. `ip` is where the details came from.
    """
    texts = {**details.texts(), "ip": ip}
    connection.execute(
        update(Contact)
        .where(Contact.id == contact_id)
        .values(
            {
                **{name: func.coalesce(getattr(Contact, name), text) for name, text in texts.items()},
                "newsletter": or_(Contact.newsletter, literal(details.newsletter)),
                "referred_by_id": func.coalesce(
                    Contact.referred_by_id, _referrer(organisation_id, contact_id, details.referral)
                ),
            }
        )
    )
    _add_to_groups(connection, contact_id, details.groups)


def _referrer(organisation_id: int, contact_id: int, reference: str | None) -> ScalarSelect[int]:
    named = Contact.cu_ref_no == literal(reference, Contact.cu_ref_no.type)  # None too is looked up in the index
    return (
        select(Contact.id)
        .where(Contact.organisation_id == organisation_id, named, Contact.id != contact_id)
        .scalar_subquery()
    )


def _add_to_groups(connection: Connection, contact_id: int, groups: Iterable[str]) -> None:
    rows = [{"contact_id": contact_id, "name": group} for group in groups]
    if rows:
        connection.execute(insert_unless_there(connection, ContactGroup, "contact_id", "name"), rows)
