"""The tables.

Typed declarative classes describe them; the domain reads and writes them with Core statements on a connection,
because a unit of work costs more than everything else in a sign-in but the hash (benchmarks/).
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

STRING_LENGTH = 255
LOCALE_LENGTH = 35
"""What RFC 5646, 4.4.1 wants there to be room for."""
USER_AGENT_LENGTH = 255


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, whatever the database can keep (SQLite keeps no time zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, and without its zone where the database has none."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        """Aware again, in UTC."""
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can name it again."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime(), str: String(STRING_LENGTH), bytes: LargeBinary()}


def _contact_key(**options: Any) -> Any:
    return mapped_column(ForeignKey("contact.id", ondelete="CASCADE"), index=True, **options)


class Organisation(Base):
    """A shop or service whose customers the portal serves."""

    __tablename__ = "organisation"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    hostname: Mapped[str | None] = mapped_column(index=True, unique=True)
    """Where its pages are; without one they are those of BASE_URL only if it is the default organisation."""
    frame_ancestors: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The exact origins whose pages may show the portal in a frame."""
    return_origins: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The exact origins that a return address may lie on."""
    locale: Mapped[str | None] = mapped_column(String(LOCALE_LENGTH))
    sender: Mapped[str | None]
    """The From of its mails; without one MAIL_DEFAULT_SENDER."""
    accent: Mapped[str | None] = mapped_column(String(7))
    """A colour such as #0b5fff."""
    logo: Mapped[bytes | None]
    logo_type: Mapped[str | None]
    privacy_url: Mapped[str | None]
    terms_url: Mapped[str | None]
    support_email: Mapped[str | None]
    magic_auth_creates: Mapped[bool] = mapped_column(default=True)
    """Whether the API's magic-auth makes a contact of an unknown address."""
    created_at: Mapped[datetime]


class ApiKey(Base):
    """What a shop's server shows to use the API; random, so a digest of it is enough and safe to keep."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    kind: Mapped[str] = mapped_column(String(4))
    """PROD, DEV_ or ROOT: what the key begins with."""
    label: Mapped[str | None]
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Contact(Base):
    """Somebody an organisation knows: with or without an e-mail, with or without an account."""

    __tablename__ = "contact"
    __table_args__ = (UniqueConstraint("organisation_id", "email_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    email: Mapped[str | None]
    """The normalised address; mail goes here and nowhere else."""
    email_key: Mapped[str | None]
    """The canonical form under which the address is unique (domain/addresses.py)."""
    cu_ref_no: Mapped[str] = mapped_column(String(16), unique=True)
    """The customer reference number."""
    password_salt: Mapped[bytes]
    """Shared by all of this customer's passwords: see domain/passwords.py for why."""
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
    newsletter: Mapped[bool] = mapped_column(default=False)
    locale: Mapped[str | None] = mapped_column(String(LOCALE_LENGTH))
    ip: Mapped[str | None] = mapped_column(String(45))
    """Where the registration came from that was confirmed."""
    referred_by_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id", ondelete="SET NULL"), index=True)
    failed_passwords: Mapped[int] = mapped_column(default=0)
    """Wrong passwords in a row, however slow."""
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
    contact_id: Mapped[int] = _contact_key()
    password_hash: Mapped[str]
    retired_at: Mapped[datetime]


class Registration(Base):
    """What somebody typed at registration: nothing of it counts until the mailbox is proven.

    Each registration stands by itself, with its own link and password. One for an address that has an account already
    is stored as ended, so that the work done tells nobody whether the address is known.
    """

    __tablename__ = "registration"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    """Kept in the registering browser's signed cookie: the browser that need not type the password again."""
    contact_id: Mapped[int] = _contact_key()
    email: Mapped[str]
    """The address as it was typed: of all that are the same by their key, the one that is confirmed is kept."""
    password_hash: Mapped[str]
    name: Mapped[str | None]
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
    newsletter: Mapped[bool]
    locale: Mapped[str | None] = mapped_column(String(LOCALE_LENGTH))
    groups: Mapped[list[str]] = mapped_column(JSON, default=list)
    referral: Mapped[str | None] = mapped_column(String(16))
    ip: Mapped[str | None] = mapped_column(String(45))
    return_url: Mapped[str | None]
    """Where the customer goes on after confirming; on one of the organisation's return origins."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Link(Base):
    """A proof of one mailbox that works once. The mailed token is a signature over `public_id`: nothing secret here."""

    __tablename__ = "link"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    purpose: Mapped[str] = mapped_column(String(16))
    contact_id: Mapped[int | None] = _contact_key()
    """None for an address that nobody has: the row then only makes the work the same."""
    registration_id: Mapped[int | None] = mapped_column(ForeignKey("registration.id", ondelete="CASCADE"), index=True)
    email: Mapped[str | None]
    """The address that the link proves; it dies when the contact's address becomes another."""
    code_tries: Mapped[int] = mapped_column(default=0)
    """How often its code was tried, right or wrong."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Identity(Base):
    """A sign-in: the session cookie and the API's `identityId` are this, stored as a digest."""

    __tablename__ = "identity"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = _contact_key()
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    kept: Mapped[bool]
    """Whether the customer asked to be kept signed in."""
    bond: Mapped[str | None] = mapped_column(String(32), index=True)
    """Shared by identities of which one was handed over from the other: ending one ends all."""
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    """The end that no use puts off."""
    ended_at: Mapped[datetime | None]


class Handover(Base):
    """A code by which a shop's server gets an identity of its own for a customer who signed in on its page."""

    __tablename__ = "handover"

    id: Mapped[int] = mapped_column(primary_key=True)
    identity_id: Mapped[int] = mapped_column(ForeignKey("identity.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    nonce: Mapped[str]
    """What the page made up for this sign-in; its server must know it."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Event(Base):
    """A sign-in, a refusal or a change: what, when, from where."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    contact_id: Mapped[int | None] = _contact_key()
    kind: Mapped[str] = mapped_column(String(40))
    refusal: Mapped[str | None] = mapped_column(String(40))
    """The name of the Failure, or None for what succeeded."""
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None]
    request_id: Mapped[str | None] = mapped_column(String(32))
    occurred_at: Mapped[datetime] = mapped_column(index=True)


class OutboxMail(Base):
    """A mail that is due: written with what caused it, rendered, signed and sent by the worker (portal/mail)."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "state", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    contact_id: Mapped[int | None] = _contact_key()
    link_id: Mapped[int | None] = mapped_column(ForeignKey("link.id", ondelete="CASCADE"), index=True)
    notice: Mapped[str] = mapped_column(String(40))
    """Which mail: the name of a folder in templates/mail."""
    recipient: Mapped[str | None]
    locale: Mapped[str | None] = mapped_column(String(LOCALE_LENGTH))
    message_id: Mapped[str] = mapped_column(String(64), unique=True)
    """The left part of the Message-ID, the same on every try."""
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    claim: Mapped[str | None] = mapped_column(String(32))
    """Who works on it; a result under another claim is ignored."""
    reason: Mapped[str | None] = mapped_column(Text)
    """Why the last try failed, or why it was set aside."""
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
