"""The tables of contacts, their accounts and registrations."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.storage.models.base import LOCALE_LENGTH, Base, contact_key


class DetailColumns:
    """The columns of a customer's details; the domain's ContactDetails has the same names."""

    name: Mapped[str | None]
    """The whole name, if a shop's server sent it as one."""
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    phone: Mapped[str | None]
    company_name: Mapped[str | None]
    company_registration_number: Mapped[str | None]
    tax_identification_number: Mapped[str | None]
    street_address: Mapped[str | None]
    city: Mapped[str | None]
    city_part: Mapped[str | None]
    state_region: Mapped[str | None]
    postal_code: Mapped[str | None]
    country: Mapped[str | None] = mapped_column(String(2))
    """ISO 3166-1 alpha-2."""
    locale: Mapped[str | None] = mapped_column(String(LOCALE_LENGTH))


class Contact(DetailColumns, Base):
    """A customer of an organisation, with or without an email address, with or without an account."""

    __tablename__ = "contact"
    __table_args__ = (UniqueConstraint("organisation_id", "email_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    email: Mapped[str | None]
    """The normalised address, the only recipient of emails."""
    email_key: Mapped[str | None]
    """The canonical form of the address, which is unique (domain/values/email.py)."""
    cu_ref_no: Mapped[str] = mapped_column(String(16), unique=True)
    """The customer reference number."""
    password_salt: Mapped[bytes]
    """Shared by all passwords of this customer (domain/passwords/hashing.py)."""
    newsletter: Mapped[bool] = mapped_column(default=False)
    ip: Mapped[str | None] = mapped_column(String(45))
    """The IP address of the confirmed registration."""
    referred_by_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id", ondelete="SET NULL"), index=True)
    failed_passwords: Mapped[int] = mapped_column(default=0)
    """Consecutive wrong passwords, over any time, from unknown devices."""
    failed_codes: Mapped[int] = mapped_column(default=0)
    """Consecutive wrong codes from emails, over any time."""
    proven_at: Mapped[datetime | None]
    """The time of the first proof of the mailbox, by an emailed link or code."""
    confirmed_at: Mapped[datetime | None]
    """None while the contact is known only from an unconfirmed registration."""
    banned_at: Mapped[datetime | None]
    banned_until: Mapped[datetime | None]
    """When the ban ends by itself; None for one that lasts until it is lifted."""
    ban_reason: Mapped[str | None]
    erase_at: Mapped[datetime | None]
    """When a closed account is erased; None for one that is not closed (domain/contacts.py)."""
    created_at: Mapped[datetime]


class ContactGroup(Base):
    """A group that a contact is in, as a shop's server named it."""

    __tablename__ = "contact_group"

    contact_id: Mapped[int] = mapped_column(
        ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(primary_key=True)


class Account(Base):
    """The password of a contact. A contact with this row has an account, and a proven mailbox."""

    __tablename__ = "account"

    contact_id: Mapped[int] = mapped_column(
        ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    password_hash: Mapped[str]
    password_set_at: Mapped[datetime]
    created_at: Mapped[datetime]


class FormerPassword(Base):
    """A former password of a customer, kept to refuse its reuse."""

    __tablename__ = "former_password"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = contact_key()
    password_hash: Mapped[str]
    retired_at: Mapped[datetime]


class Registration(DetailColumns, Base):
    """The input of a registration, which has no effect before a proof of the mailbox.

    Each registration has its own link and password. One for an address that has an account or is banned is a decoy, so
    that neither the timing nor a later sign-in reveals to an attacker whether the address is known.
    """

    __tablename__ = "registration"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    """Stored in the signed cookie of the registering browser, which need not ask for the password again."""
    contact_id: Mapped[int] = contact_key()
    email: Mapped[str]
    """The address as it was typed; the spelling of the confirmed registration becomes the contact's."""
    password_hash: Mapped[str]
    newsletter: Mapped[bool]
    groups: Mapped[list[str]] = mapped_column(JSON, default=list)
    referral: Mapped[str | None] = mapped_column(String(16))
    ip: Mapped[str | None] = mapped_column(String(45))
    return_url: Mapped[str | None]
    """The URL to redirect to after confirmation; on one of the organisation's return origins."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    is_decoy: Mapped[bool] = mapped_column(default=False)
    """True for an address that has an account or is banned: looks like a pending one, but cannot be confirmed."""
    failed_passwords: Mapped[int] = mapped_column(default=0)
    """Wrong passwords for its address since it was created; too many lock it (domain/pending_registrations.py)."""
