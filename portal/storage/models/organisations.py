"""The tables of organisations and their API keys."""

from datetime import datetime

from sqlalchemy import JSON, Column, ForeignKey, LargeBinary, Named, String, Table, TypedColumns

from portal.storage.models.base import LOCALE_LENGTH, METADATA, STRING_LENGTH, UtcDateTime


class OrganisationColumns(TypedColumns):
    """A shop or service whose customers the portal serves."""

    id: Named[int] = Column(primary_key=True)
    slug: Named[str] = Column(String(STRING_LENGTH), unique=True)
    name: Named[str] = Column(String(STRING_LENGTH))
    hostname: Named[str | None] = Column(String(STRING_LENGTH), index=True, unique=True)
    """The host of its pages. Without one only the default organisation has pages, at BASE_URL."""
    frame_ancestors: Named[list[str]] = Column(JSON, default=list)
    """The exact origins whose pages may show the portal in a frame."""
    return_origins: Named[list[str]] = Column(JSON, default=list)
    """The exact origins of allowed return URLs."""
    handover_urls: Named[list[str]] = Column(JSON, default=list)
    """The URLs that a hand-over code may be sent to by redirect, compared exactly except for their query."""
    locale: Named[str | None] = Column(String(LOCALE_LENGTH))
    sender: Named[str | None] = Column(String(STRING_LENGTH))
    """The From of its emails; MAIL_DEFAULT_SENDER if None."""
    accent: Named[str | None] = Column(String(7))
    """A colour such as #0b5fff."""
    logo: Named[bytes | None] = Column(LargeBinary)
    logo_type: Named[str | None] = Column(String(STRING_LENGTH))
    cover: Named[bytes | None] = Column(LargeBinary)
    """The picture beside the form on wide screens."""
    cover_type: Named[str | None] = Column(String(STRING_LENGTH))
    privacy_url: Named[str | None] = Column(String(STRING_LENGTH))
    terms_url: Named[str | None] = Column(String(STRING_LENGTH))
    support_email: Named[str | None] = Column(String(STRING_LENGTH))
    magic_auth_creates: Named[bool] = Column(default=True)
    """Whether the API's magic-auth creates a contact for an unknown address."""
    require_two_step: Named[str] = Column(String(8), default="optional", server_default="optional")
    """Whether its customers can, or must, sign in with a second step: never, optional or required."""
    field_rules: Named[dict[str, str]] = Column(JSON, default=dict, server_default="{}")
    """What it has chosen of the fields that customers fill in, by their names."""
    created_at: Named[datetime] = Column(UtcDateTime)


Organisation = Table("organisation", METADATA, OrganisationColumns)


class ApiKeyColumns(TypedColumns):
    """A key of a shop's server for the API, stored as a digest."""

    id: Named[int] = Column(primary_key=True)
    organisation_id: Named[int] = Column(ForeignKey("organisation.id"), index=True)
    digest: Named[bytes] = Column(LargeBinary(32), unique=True)
    kind: Named[str] = Column(String(4))
    """PROD, DEV_ or ROOT: the prefix of the key."""
    label: Named[str | None] = Column(String(STRING_LENGTH))
    scopes: Named[list[str]] = Column(JSON)
    created_at: Named[datetime] = Column(UtcDateTime)
    expires_at: Named[datetime | None] = Column(UtcDateTime)
    revoked_at: Named[datetime | None] = Column(UtcDateTime)
    last_used_at: Named[datetime | None] = Column(UtcDateTime)


ApiKey = Table("api_key", METADATA, ApiKeyColumns)
