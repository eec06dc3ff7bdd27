"""Organisations: whose customers the portal serves, and what each has set for itself (organisation_settings.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select

from portal.storage.models import Organisation as OrganisationRow

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
    privacy_url: str | None = None
    terms_url: str | None = None
    support_email: str | None = None
    magic_auth_creates: bool = True
    field_rules: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What it has chosen of the fields that customers fill in (field_rules.py)."""

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


def columns(prefix: str = "") -> list[ColumnElement[Any]]:
    """The columns that make an Organisation, under the names of its fields behind a prefix."""
    return [getattr(OrganisationRow, one.name).label(prefix + one.name) for one in fields(Organisation)]


_all = select(*columns()).order_by(OrganisationRow.slug)
_logo = select(OrganisationRow.logo, OrganisationRow.logo_type).where(
    OrganisationRow.id == bindparam("id"), OrganisationRow.logo.is_not(None)
)
_by_slug = select(*columns()).where(OrganisationRow.slug == bindparam("slug"))


def read_organisation(row: Row[*tuple[Any, ...]], prefix: str = "") -> Organisation:
    """Make an Organisation of a row that holds `columns(prefix)`."""
    values: dict[str, Any] = {}
    for one in fields(Organisation):
        value = getattr(row, prefix + one.name)
        values[one.name] = tuple(value) if isinstance(value, list) else value
    return Organisation(**values)


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
    """The picture of an organisation and its media type, if it has one."""
    row = connection.execute(_logo, {"id": organisation_id}).one_or_none()
    return (row.logo, row.logo_type) if row else None
