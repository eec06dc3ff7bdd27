"""The tables of organisations and their API keys."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.storage.models.base import LOCALE_LENGTH, Base


class Organisation(Base):
    """A shop or service whose customers the portal serves."""

    __tablename__ = "organisation"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    hostname: Mapped[str | None] = mapped_column(index=True, unique=True)
    """The host of its pages. Without one only the default organisation has pages, at BASE_URL."""
    frame_ancestors: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The exact origins whose pages may show the portal in a frame."""
    return_origins: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The exact origins of allowed return URLs."""
    handover_urls: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The URLs that a hand-over code may be sent to by redirect, compared exactly except for their query."""
    locale: Mapped[str | None] = mapped_column(String(LOCALE_LENGTH))
    sender: Mapped[str | None]
    """The From of its emails; MAIL_DEFAULT_SENDER if None."""
    accent: Mapped[str | None] = mapped_column(String(7))
    """A colour such as #0b5fff."""
    logo: Mapped[bytes | None]
    logo_type: Mapped[str | None]
    cover: Mapped[bytes | None]
    """The picture beside the form on wide screens."""
    cover_type: Mapped[str | None]
    privacy_url: Mapped[str | None]
    terms_url: Mapped[str | None]
    support_email: Mapped[str | None]
    magic_auth_creates: Mapped[bool] = mapped_column(default=True)
    """Whether the API's magic-auth creates a contact for an unknown address."""
    require_two_step: Mapped[str] = mapped_column(String(8), default="optional", server_default="optional")
    """Whether its customers can, or must, sign in with a second step: never, optional or required."""
    field_rules: Mapped[dict[str, str]] = mapped_column(JSON, default=dict, server_default="{}")
    """What it has chosen of the fields that customers fill in, by their names."""
    created_at: Mapped[datetime]


class ApiKey(Base):
    """A key of a shop's server for the API, stored as a digest."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    kind: Mapped[str] = mapped_column(String(4))
    """PROD, DEV_ or ROOT: the prefix of the key."""
    label: Mapped[str | None]
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
