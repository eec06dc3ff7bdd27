"""What lets somebody in: links and codes, identities, their handing over, devices that were signed in with."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.storage.models.base import Base, contact_key


class Link(Base):
    """A proof of one mailbox that works once. The mailed token is a signature over `public_id`: nothing secret here."""

    __tablename__ = "link"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    purpose: Mapped[str] = mapped_column(String(16))
    contact_id: Mapped[int | None] = contact_key()
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
    contact_id: Mapped[int] = contact_key()
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    remember: Mapped[bool] = mapped_column("kept", key="remember")
    """Whether the customer asked to be kept signed in."""
    family: Mapped[str | None] = mapped_column("bond", String(32), key="family", index=True)
    """Shared by identities of which one was handed over from the other: ending one ends all."""
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None]
    channel: Mapped[str] = mapped_column(String(8), server_default="browser")
    """Where it is used: in a browser, in a frame on another site, or by a shop's server."""
    proved_at: Mapped[datetime | None]
    """When its holder last proved to be the customer, by the password or out of the mailbox."""
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


class Device(Base):
    """A browser, or a network behind a shop's server, in which a customer signed in before: it has limits of its own.

    The cookie's random value is stored as a digest. A browser that several customers use has one cookie, and a row for
    each of them.
    """

    __tablename__ = "device"
    __table_args__ = (UniqueConstraint("digest", "contact_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = contact_key()
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    failed_passwords: Mapped[int] = mapped_column(default=0)
    """Wrong passwords in a row from this device, however slow."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    """When the customer last signed in with it."""
