"""The tables of contacts, their accounts and registrations."""

from datetime import datetime

from sqlalchemy import JSON, Column, ForeignKey, LargeBinary, Named, String, Table, TypedColumns, UniqueConstraint

from portal.storage.models.base import LOCALE_LENGTH, METADATA, STRING_LENGTH, UtcDateTime, contact_key


class DetailColumns(TypedColumns):
    """The columns of a customer's details; the domain's ContactDetails has the same names."""

    name: Named[str | None] = Column(String(STRING_LENGTH))
    """The whole name, if a shop's server sent it as one."""
    first_name: Named[str | None] = Column(String(STRING_LENGTH))
    last_name: Named[str | None] = Column(String(STRING_LENGTH))
    phone: Named[str | None] = Column(String(STRING_LENGTH))
    company_name: Named[str | None] = Column(String(STRING_LENGTH))
    company_registration_number: Named[str | None] = Column(String(STRING_LENGTH))
    tax_identification_number: Named[str | None] = Column(String(STRING_LENGTH))
    street_address: Named[str | None] = Column(String(STRING_LENGTH))
    city: Named[str | None] = Column(String(STRING_LENGTH))
    city_part: Named[str | None] = Column(String(STRING_LENGTH))
    state_region: Named[str | None] = Column(String(STRING_LENGTH))
    postal_code: Named[str | None] = Column(String(STRING_LENGTH))
    country: Named[str | None] = Column(String(2))
    """ISO 3166-1 alpha-2."""
    locale: Named[str | None] = Column(String(LOCALE_LENGTH))


class ContactColumns(DetailColumns):
    """A customer of an organisation, with or without an email address, with or without an account."""

    id: Named[int] = Column(primary_key=True)
    organisation_id: Named[int] = Column(ForeignKey("organisation.id"))
    email: Named[str | None] = Column(String(STRING_LENGTH))
    """The normalised address, the only recipient of emails."""
    email_key: Named[str | None] = Column(String(STRING_LENGTH))
    """The canonical form of the address, which is unique (domain/values/email.py)."""
    cu_ref_no: Named[str] = Column(String(16), unique=True)
    """The customer reference number."""
    password_salt: Named[bytes] = Column(LargeBinary)
    """Shared by all passwords of this customer (domain/passwords/hashing.py)."""
    newsletter: Named[bool] = Column(default=False)
    ip: Named[str | None] = Column(String(45))
    """The IP address of the confirmed registration."""
    referred_by_id: Named[int | None] = Column(ForeignKey("contact.id", ondelete="SET NULL"), index=True)
    failed_passwords: Named[int] = Column(default=0)
    """Consecutive wrong passwords, over any time, from unknown devices."""
    failed_codes: Named[int] = Column(default=0)
    """Consecutive wrong codes from emails, over any time."""
    proven_at: Named[datetime | None] = Column(UtcDateTime)
    """The time of the first proof of the mailbox, by an emailed link or code."""
    confirmed_at: Named[datetime | None] = Column(UtcDateTime)
    """None while the contact is known only from an unconfirmed registration."""
    banned_at: Named[datetime | None] = Column(UtcDateTime)
    banned_until: Named[datetime | None] = Column(UtcDateTime)
    """When the ban ends by itself; None for one that lasts until it is lifted."""
    ban_reason: Named[str | None] = Column(String(STRING_LENGTH))
    erase_at: Named[datetime | None] = Column(UtcDateTime)
    """When a closed account is erased; None for one that is not closed (domain/contacts.py)."""
    created_at: Named[datetime] = Column(UtcDateTime)


Contact = Table("contact", METADATA, ContactColumns, UniqueConstraint("organisation_id", "email_key"))


class ContactGroupColumns(TypedColumns):
    """A group that a contact is in, as a shop's server named it."""

    contact_id: Named[int] = Column(ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    name: Named[str] = Column(String(STRING_LENGTH), primary_key=True)


ContactGroup = Table("contact_group", METADATA, ContactGroupColumns)


class AccountColumns(TypedColumns):
    """The password of a contact. A contact with this row has an account, and a proven mailbox."""

    contact_id: Named[int] = Column(ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    password_hash: Named[str] = Column(String(STRING_LENGTH))
    password_set_at: Named[datetime] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime)


Account = Table("account", METADATA, AccountColumns)


class FormerPasswordColumns(TypedColumns):
    """A former password of a customer, kept to refuse its reuse."""

    id: Named[int] = Column(primary_key=True)
    contact_id: Named[int] = contact_key()
    password_hash: Named[str] = Column(String(STRING_LENGTH))
    retired_at: Named[datetime] = Column(UtcDateTime)


FormerPassword = Table("former_password", METADATA, FormerPasswordColumns)


class RegistrationColumns(DetailColumns):
    """The input of a registration, which has no effect before a proof of the mailbox.

    Each registration has its own link and password. One for an address that has an account or is banned is a decoy, so
    that neither the timing nor a later sign-in reveals to an attacker whether the address is known.
    """

    id: Named[int] = Column(primary_key=True)
    public_id: Named[str] = Column(String(32), unique=True)
    """Stored in the signed cookie of the registering browser, which need not ask for the password again."""
    contact_id: Named[int] = contact_key()
    email: Named[str] = Column(String(STRING_LENGTH))
    """The address as it was typed; the spelling of the confirmed registration becomes the contact's."""
    password_hash: Named[str] = Column(String(STRING_LENGTH))
    newsletter: Named[bool]
    groups: Named[list[str]] = Column(JSON, default=list)
    referral: Named[str | None] = Column(String(16))
    ip: Named[str | None] = Column(String(45))
    return_url: Named[str | None] = Column(String(STRING_LENGTH))
    """The URL to redirect to after confirmation; on one of the organisation's return origins."""
    created_at: Named[datetime] = Column(UtcDateTime)
    ended_at: Named[datetime | None] = Column(UtcDateTime)
    is_decoy: Named[bool] = Column(default=False)
    """True for an address that has an account or is banned: looks like a pending one, but cannot be confirmed."""
    failed_passwords: Named[int] = Column(default=0)
    """Wrong passwords for its address since it was created; too many lock it (domain/pending_registrations.py)."""


Registration = Table("registration", METADATA, RegistrationColumns)
