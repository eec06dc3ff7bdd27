"""Organisations: whose customers the portal serves, and what each has set for itself (organisation_settings.py)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy import Connection, bindparam, select

from portal.domain.models import Organisation as OrganisationRow

DEFAULT = "default"
"""The organisation that every portal has: its pages are those of BASE_URL."""


@dataclass(frozen=True)
class Organisation:
    """What everything else needs to know of an organisation; all values are in their normal forms."""

    id: int
    slug: str
    name: str
    hostname: str | None = None
    frame_ancestors: tuple[str, ...] = ()
    return_origins: tuple[str, ...] = ()
    handover_urls: tuple[str, ...] = ()
    locale: str | None = None
    sender: str | None = None
    accent: str | None = None
    logo_type: str | None = None
    """The media type of its logo; None when it has none."""
    cover_type: str | None = None
    """Likewise of its cover."""
    privacy_url: str | None = None
    terms_url: str | None = None
    support_email: str | None = None
    magic_auth_creates: bool = True

    @property
    def support_url(self) -> str | None:
        """A link that writes to its support."""
        return self.support_email and f"mailto:{quote(self.support_email, safe='@')}"

    @property
    def has_links(self) -> bool:
        """Whether it has anything to offer in a footer."""
        return bool(self.support_email or self.privacy_url or self.terms_url)

    def url(self, base_url: str) -> str:
        """Where its pages are: BASE_URL, or BASE_URL's scheme and port at its own host name.

        Never the host that a request names. An organisation other than the default has no pages before it has a host
        name of its own.
        """
        if self.hostname is None:
            return base_url
        parts = urlsplit(base_url)
        return f"{parts.scheme}://{self.hostname}" + (f":{parts.port}" if parts.port else "")


class UnknownOrganisation(LookupError):
    """No organisation has this slug; the message is one sentence for the operator."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is no organisation {slug!r}.")


COLUMNS = (
    OrganisationRow.id,
    OrganisationRow.slug,
    OrganisationRow.name,
    OrganisationRow.hostname,
    OrganisationRow.frame_ancestors,
    OrganisationRow.return_origins,
    OrganisationRow.handover_urls,
    OrganisationRow.locale,
    OrganisationRow.sender,
    OrganisationRow.accent,
    OrganisationRow.logo_type,
    OrganisationRow.cover_type,
    OrganisationRow.privacy_url,
    OrganisationRow.terms_url,
    OrganisationRow.support_email,
    OrganisationRow.magic_auth_creates,
)
"""What is read of an organisation, in the order of its fields."""
_all = select(*COLUMNS).order_by(OrganisationRow.slug)
_logo = select(OrganisationRow.logo, OrganisationRow.logo_type).where(
    OrganisationRow.id == bindparam("id"), OrganisationRow.logo.is_not(None)
)
_cover = select(OrganisationRow.cover, OrganisationRow.cover_type).where(
    OrganisationRow.id == bindparam("id"), OrganisationRow.cover.is_not(None)
)
_by_slug = select(*COLUMNS).where(OrganisationRow.slug == bindparam("slug"))


def read_organisation(values: Iterable[Any]) -> Organisation:
    """The organisation that a row of COLUMNS tells of."""
    fields: list[Any] = [tuple(value) if isinstance(value, list) else value for value in values]
    return Organisation(*fields)


def get_organisation(connection: Connection, slug: str) -> Organisation:
    """The organisation with a slug; raises UnknownOrganisation."""
    row = connection.execute(_by_slug, {"slug": slug}).one_or_none()
    if row is None:
        raise UnknownOrganisation(slug)
    return read_organisation(row)


def list_organisations(connection: Connection) -> list[Organisation]:
    """All organisations, by their slugs."""
    return [read_organisation(row) for row in connection.execute(_all)]


def find_logo(connection: Connection, organisation_id: int) -> tuple[bytes, str] | None:
    """The logo of an organisation and its media type, if it has one."""
    row = connection.execute(_logo, {"id": organisation_id}).one_or_none()
    return (row.logo, row.logo_type) if row else None


def find_cover(connection: Connection, organisation_id: int) -> tuple[bytes, str] | None:
    """Return the cover of an organisation and its media type, if it has one."""
    row = connection.execute(_cover, {"id": organisation_id}).one_or_none()
    return (row.cover, row.cover_type) if row else None
