"""The details of a contact beside its email address, and the rule that fills the empty ones."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from sqlalchemy import Connection, ScalarSelect, bindparam, func, literal, or_, select, update

from portal.domain.contacts import insert_or_ignore
from portal.storage.models import Contact, ContactGroup

MAX_GROUPS = 50
"""Maximum number of groups of one customer in one request or import."""
_API_NAMES = {"locale": "primaryLocale", "referral": "referralId"}


def api_name(column: str) -> str:
    """Return the API's name of a column, such as streetAddress for street_address."""
    first, *rest = column.split("_")
    return _API_NAMES.get(column) or first + "".join(part.title() for part in rest)


@dataclass(frozen=True, kw_only=True)
class ContactDetails:
    """The details of a contact, each in its normal form (values/); None is unknown."""

    name: str | None = None
    """The whole name, if it was given as one."""
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
    """The customer reference number of the referring customer."""

    def texts(self) -> dict[str, str | None]:
        """Return the text fields by column name."""
        return {name: getattr(self, name) for name in TEXT_FIELDS}


TEXT_FIELDS = tuple(
    field.name for field in fields(ContactDetails) if field.name not in ("newsletter", "groups", "referral")
)
"""The text fields: columns of the same name in `contact` and `registration` (DetailColumns)."""


_referring = Contact.alias("referring")
_details = (
    select(*(Contact.c[name] for name in (*TEXT_FIELDS, "newsletter")), _referring.c.cu_ref_no.label("referral"))
    .outerjoin(_referring, _referring.c.id == Contact.c.referred_by_id)
    .where(Contact.c.id == bindparam("contact_id"))
)
_groups = (
    select(ContactGroup.c.name)
    .where(ContactGroup.c.contact_id == bindparam("contact_id"))
    .order_by(ContactGroup.c.name)
)


class CustomerDeleted(LookupError):
    """The customer was deleted since the request began. The message is one sentence for the operator."""

    def __init__(self) -> None:
        super().__init__("The customer was deleted meanwhile.")


def get_contact_details(connection: Connection, contact_id: int) -> ContactDetails:
    """Return the details of a contact; raises CustomerDeleted."""
    row = connection.execute(_details, {"contact_id": contact_id}).one_or_none()
    if row is None:
        raise CustomerDeleted
    groups = connection.execute(_groups, {"contact_id": contact_id}).scalars()
    return ContactDetails(**row._asdict(), groups=tuple(groups))


def fill_empty_fields(
    connection: Connection, organisation_id: int, contact_id: int, details: ContactDetails, *, ip: str | None
) -> None:
    """Fill the empty fields of a contact. The caller has locked the contact's row.

    Groups are added to the existing ones, and a newsletter subscription is never removed. The referrer is stored only
    if it is another customer of the same organisation. `ip` is the address that the details were sent from.
    """
    texts = {**details.texts(), "ip": ip}
    connection.execute(
        update(Contact)
        .where(Contact.c.id == contact_id)
        .values(
            {
                **{name: func.coalesce(Contact.c[name], text) for name, text in texts.items()},
                "newsletter": or_(Contact.c.newsletter, literal(details.newsletter)),
                "referred_by_id": func.coalesce(
                    Contact.c.referred_by_id, _referrer(organisation_id, contact_id, details.referral)
                ),
            }
        )
    )
    _add_to_groups(connection, contact_id, details.groups)


def _referrer(organisation_id: int, contact_id: int, reference: str | None) -> ScalarSelect[int]:
    has_reference = Contact.c.cu_ref_no == literal(reference, Contact.c.cu_ref_no.type)  # uses the index for None too
    return (
        select(Contact.c.id)
        .where(Contact.c.organisation_id == organisation_id, has_reference, Contact.c.id != contact_id)
        .scalar_subquery()
    )


def _add_to_groups(connection: Connection, contact_id: int, groups: Iterable[str]) -> None:
    rows = [{"contact_id": contact_id, "name": group} for group in groups]
    if rows:
        connection.execute(insert_or_ignore(connection, ContactGroup, "contact_id", "name"), rows)
