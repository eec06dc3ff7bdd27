"""The tables of organisations and their API keys."""

from datetime import datetime

from sqlalchemy import JSON, ColumnClause, ForeignKey, LargeBinary, String

from portal.storage.models.base import LOCALE_LENGTH, Base, column


class Organisation(Base):
    """A shop or service whose customers the portal serves."""

    __tablename__ = "organisation"

    id: ColumnClause[int] = column(primary_key=True)
    slug: ColumnClause[str] = column(unique=True)
    name: ColumnClause[str]
    hostname: ColumnClause[str | None] = column(index=True, unique=True)
    """The host of its pages. Without one only the default organisation has pages, at BASE_URL."""
    frame_ancestors: ColumnClause[list[str]] = column(JSON, default=list)
    """The exact origins whose pages may show the portal in a frame."""
    return_origins: ColumnClause[list[str]] = column(JSON, default=list)
    """The exact origins of allowed return URLs."""
    handover_urls: ColumnClause[list[str]] = column(JSON, default=list)
    """The URLs that a hand-over code may be sent to by redirect, compared exactly except for their query."""
    locale: ColumnClause[str | None] = column(String(LOCALE_LENGTH))
    sender: ColumnClause[str | None]
    """The From of its emails; MAIL_DEFAULT_SENDER if None."""
    accent: ColumnClause[str | None] = column(String(7))
    """A colour such as #0b5fff."""
    logo: ColumnClause[bytes | None]
    logo_type: ColumnClause[str | None]
    cover: ColumnClause[bytes | None]
    """The picture beside the form on wide screens."""
    cover_type: ColumnClause[str | None]
    privacy_url: ColumnClause[str | None]
    terms_url: ColumnClause[str | None]
    support_email: ColumnClause[str | None]
    magic_auth_creates: ColumnClause[bool] = column(default=True)
    """Whether the API's magic-auth creates a contact for an unknown address."""
    require_two_step: ColumnClause[str] = column(String(8), default="optional", server_default="optional")
    """Whether its customers can, or must, sign in with a second step: never, optional or required."""
    field_rules: ColumnClause[dict[str, str]] = column(JSON, default=dict, server_default="{}")
    """What it has chosen of the fields that customers fill in, by their names."""
    created_at: ColumnClause[datetime]


class ApiKey(Base):
    """A key of a shop's server for the API, stored as a digest."""

    __tablename__ = "api_key"

    id: ColumnClause[int] = column(primary_key=True)
    organisation_id: ColumnClause[int] = column(ForeignKey("organisation.id"), index=True)
    digest: ColumnClause[bytes] = column(LargeBinary(32), unique=True)
    kind: ColumnClause[str] = column(String(4))
    """PROD, DEV_ or ROOT: the prefix of the key."""
    label: ColumnClause[str | None]
    scopes: ColumnClause[list[str]] = column(JSON)
    created_at: ColumnClause[datetime]
    expires_at: ColumnClause[datetime | None]
    revoked_at: ColumnClause[datetime | None]
    last_used_at: ColumnClause[datetime | None]
