"""Customers: known, with an account, or about to be."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.storage.models.base import LOCALE_LENGTH, Base, contact_key


class DetailColumns:
    """The columns of what customers and shops say of a customer; the domain's ContactDetails has the same names."""

    name: Mapped[str | None]
    """The whole name as a shop's server gave it; else it is made of first and last name."""
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
    """Somebody an organisation knows: with or without an e-mail, with or without an account."""

    __tablename__ = "contact"
    __table_args__ = (UniqueConstraint("organisation_id", "email_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    email: Mapped[str | None]
    """The normalised address; mail goes here and nowhere else."""
    email_key: Mapped[str | None]
    """The canonical form under which the address is unique (domain/values/email.py)."""
    cu_ref_no: Mapped[str] = mapped_column(String(16), unique=True)
    """The customer reference number."""
    password_salt: Mapped[bytes]
    """Shared by all of this customer's passwords: see domain/passwords/hashing.py for why."""
    newsletter: Mapped[bool] = mapped_column(default=False)
    ip: Mapped[str | None] = mapped_column(String(45))
    """Where the registration came from that was confirmed."""
    referred_by_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id", ondelete="SET NULL"), index=True)
    failed_passwords: Mapped[int] = mapped_column(default=0)
    """Wrong passwords in a row, however slow, from browsers that this customer never signed in with."""
    failed_codes: Mapped[int] = mapped_column(default=0)
    """Wrong codes from emails in a row, however slow."""
    proven_at: Mapped[datetime | None]
    """When the owner of the mailbox first proved that it is theirs, by a link or a code that was sent there."""
    confirmed_at: Mapped[datetime | None]
    """None while the contact is known only from a registration that waits for its mailbox to be proven."""
    banned_at: Mapped[datetime | None]
    ban_reason: Mapped[str | None]
    created_at: Mapped[datetime]


class ContactGroup(Base):
    """A group that a contact is in, as a shop's server named it."""

    __tablename__ = "contact_group"

    contact_id: Mapped[int] = mapped_column(
        ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(primary_key=True)


class Account(Base):
    """A contact's password: who has one has an account, and the mailbox of every account was proven."""

    __tablename__ = "account"

    contact_id: Mapped[int] = mapped_column(
        ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    password_hash: Mapped[str]
    password_set_at: Mapped[datetime]
    created_at: Mapped[datetime]


class FormerPassword(Base):
    """A password a customer had once, kept so that it is not taken again."""

    __tablename__ = "former_password"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = contact_key()
    password_hash: Mapped[str]
    retired_at: Mapped[datetime]


class Registration(DetailColumns, Base):
    """What somebody typed at registration: nothing of it counts until the mailbox is proven.

    Each registration stands by itself, with its own link and password. One for an address that has an account or is
    banned is a decoy, so that neither the work done nor a later sign-in tells a stranger whether the address is known.
    """

    __tablename__ = "registration"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    """Kept in the registering browser's signed cookie: the browser that need not type the password again."""
    contact_id: Mapped[int] = contact_key()
    email: Mapped[str]
    """The address as it was typed: of all that are the same by their key, the one that is confirmed is kept."""
    password_hash: Mapped[str]
    newsletter: Mapped[bool]
    groups: Mapped[list[str]] = mapped_column(JSON, default=list)
    referral: Mapped[str | None] = mapped_column(String(16))
    ip: Mapped[str | None] = mapped_column(String(45))
    return_url: Mapped[str | None]
    """Where the customer goes on after confirming; on one of the organisation's return origins."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    is_decoy: Mapped[bool] = mapped_column(default=False)
    """True for an address that has an account or is banned: answers in a browser as a pending one, confirms nothing."""
    failed_passwords: Mapped[int] = mapped_column(default=0)
    """Wrong passwords for its address since it was made; too many lock it (domain/pending_registrations.py)."""
