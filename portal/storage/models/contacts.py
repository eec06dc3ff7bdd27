"""The tables of contacts, their accounts and registrations."""

from datetime import datetime

from sqlalchemy import JSON, ColumnClause, ForeignKey, String, UniqueConstraint

from portal.storage.models.base import LOCALE_LENGTH, Base, column, contact_key


class DetailColumns:
    """The columns of a customer's details; the domain's ContactDetails has the same names."""

    name: ColumnClause[str | None]
    """The whole name, if a shop's server sent it as one."""
    first_name: ColumnClause[str | None]
    last_name: ColumnClause[str | None]
    phone: ColumnClause[str | None]
    company_name: ColumnClause[str | None]
    company_registration_number: ColumnClause[str | None]
    tax_identification_number: ColumnClause[str | None]
    street_address: ColumnClause[str | None]
    city: ColumnClause[str | None]
    city_part: ColumnClause[str | None]
    state_region: ColumnClause[str | None]
    postal_code: ColumnClause[str | None]
    country: ColumnClause[str | None] = column(String(2))
    """ISO 3166-1 alpha-2."""
    locale: ColumnClause[str | None] = column(String(LOCALE_LENGTH))


class Contact(DetailColumns, Base):
    """A customer of an organisation, with or without an email address, with or without an account."""

    __tablename__ = "contact"
    __table_args__ = (UniqueConstraint("organisation_id", "email_key"),)

    id: ColumnClause[int] = column(primary_key=True)
    organisation_id: ColumnClause[int] = column(ForeignKey("organisation.id"))
    email: ColumnClause[str | None]
    """The normalised address, the only recipient of emails."""
    email_key: ColumnClause[str | None]
    """The canonical form of the address, which is unique (domain/values/email.py)."""
    cu_ref_no: ColumnClause[str] = column(String(16), unique=True)
    """The customer reference number."""
    password_salt: ColumnClause[bytes]
    """Shared by all passwords of this customer (domain/passwords/hashing.py)."""
    newsletter: ColumnClause[bool] = column(default=False)
    ip: ColumnClause[str | None] = column(String(45))
    """The IP address of the confirmed registration."""
    referred_by_id: ColumnClause[int | None] = column(ForeignKey("contact.id", ondelete="SET NULL"), index=True)
    failed_passwords: ColumnClause[int] = column(default=0)
    """Consecutive wrong passwords, over any time, from unknown devices."""
    failed_codes: ColumnClause[int] = column(default=0)
    """Consecutive wrong codes from emails, over any time."""
    proven_at: ColumnClause[datetime | None]
    """The time of the first proof of the mailbox, by an emailed link or code."""
    confirmed_at: ColumnClause[datetime | None]
    """None while the contact is known only from an unconfirmed registration."""
    banned_at: ColumnClause[datetime | None]
    banned_until: ColumnClause[datetime | None]
    """When the ban ends by itself; None for one that lasts until it is lifted."""
    ban_reason: ColumnClause[str | None]
    erase_at: ColumnClause[datetime | None]
    """When a closed account is erased; None for one that is not closed (domain/contacts.py)."""
    created_at: ColumnClause[datetime]


class ContactGroup(Base):
    """A group that a contact is in, as a shop's server named it."""

    __tablename__ = "contact_group"

    contact_id: ColumnClause[int] = column(
        ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: ColumnClause[str] = column(primary_key=True)


class Account(Base):
    """The password of a contact. A contact with this row has an account, and a proven mailbox."""

    __tablename__ = "account"

    contact_id: ColumnClause[int] = column(
        ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    password_hash: ColumnClause[str]
    password_set_at: ColumnClause[datetime]
    created_at: ColumnClause[datetime]


class FormerPassword(Base):
    """A former password of a customer, kept to refuse its reuse."""

    __tablename__ = "former_password"

    id: ColumnClause[int] = column(primary_key=True)
    contact_id: ColumnClause[int] = contact_key()
    password_hash: ColumnClause[str]
    retired_at: ColumnClause[datetime]


class Registration(DetailColumns, Base):
    """The input of a registration, which has no effect before a proof of the mailbox.

    Each registration has its own link and password. One for an address that has an account or is banned is a decoy, so
    that neither the timing nor a later sign-in reveals to an attacker whether the address is known.
    """

    __tablename__ = "registration"

    id: ColumnClause[int] = column(primary_key=True)
    public_id: ColumnClause[str] = column(String(32), unique=True)
    """Stored in the signed cookie of the registering browser, which need not ask for the password again."""
    contact_id: ColumnClause[int] = contact_key()
    email: ColumnClause[str]
    """The address as it was typed; the spelling of the confirmed registration becomes the contact's."""
    password_hash: ColumnClause[str]
    newsletter: ColumnClause[bool]
    groups: ColumnClause[list[str]] = column(JSON, default=list)
    referral: ColumnClause[str | None] = column(String(16))
    ip: ColumnClause[str | None] = column(String(45))
    return_url: ColumnClause[str | None]
    """The URL to redirect to after confirmation; on one of the organisation's return origins."""
    created_at: ColumnClause[datetime]
    ended_at: ColumnClause[datetime | None]
    is_decoy: ColumnClause[bool] = column(default=False)
    """True for an address that has an account or is banned: looks like a pending one, but cannot be confirmed."""
    failed_passwords: ColumnClause[int] = column(default=0)
    """Wrong passwords for its address since it was created; too many lock it (domain/pending_registrations.py)."""
