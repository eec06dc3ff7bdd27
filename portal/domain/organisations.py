"""Read organisations (shops or services) and their settings; operations/organisation_settings.py changes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy import ColumnElement, Connection, Row, select

from portal.storage.models import Organisation as OrganisationRow

DEFAULT = "default"
"""The slug of the organisation that every portal has; its pages are at BASE_URL."""


class TwoStepRule(StrEnum):
    """Whether the customers of an organisation sign in with a second step. A customer who has one is always asked."""

    NEVER = "never"
    """It is not offered."""
    OPTIONAL = "optional"
    REQUIRED = "required"
    """A customer without one must set it up at the next sign-in."""


@dataclass(frozen=True)
class Organisation:
    """An organisation and its settings, all in their normal forms (values/)."""

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
    """The media type of the logo; None if there is no logo."""
    cover_type: str | None = None
    """The media type of the cover; None if there is no cover."""
    privacy_url: str | None = None
    terms_url: str | None = None
    support_email: str | None = None
    magic_auth_creates: bool = True
    require_two_step: str = TwoStepRule.OPTIONAL
    """A TwoStepRule."""
    field_rules: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What it has chosen of the fields that customers fill in (field_rules.py)."""

    @property
    def support_url(self) -> str | None:
        """The mailto link of the support address."""
        return self.support_email and f"mailto:{quote(self.support_email, safe='@')}"

    @property
    def has_links(self) -> bool:
        """Whether the footer has any links."""
        return bool(self.support_email or self.privacy_url or self.terms_url)

    def url(self, base_url: str) -> str:
        """Return the URL of its pages: BASE_URL, or the scheme and port of BASE_URL with its own host name.

        Never the host of a request. An organisation other than the default one has no pages without a host name.
        """
        if self.hostname is None:
            return base_url
        parts = urlsplit(base_url)
        return f"{parts.scheme}://{self.hostname}" + (f":{parts.port}" if parts.port else "")


class UnknownOrganisation(LookupError):
    """No organisation has this slug. The message is one sentence for the operator."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is no organisation {slug!r}.")


def columns(prefix: str = "") -> list[ColumnElement[Any]]:
    """Return the columns for `read_organisation`, labelled with the prefix and the field's name."""
    return [OrganisationRow.c[one.name].label(prefix + one.name) for one in fields(Organisation)]


def read_organisation(row: Row[*tuple[Any, ...]], prefix: str = "") -> Organisation:
    """Build an Organisation from a row with `columns(prefix)`."""
    values: dict[str, Any] = {}
    for one in fields(Organisation):
        value = getattr(row, prefix + one.name)
        values[one.name] = tuple(value) if isinstance(value, list) else value
    return Organisation(**values)


def get_organisation(connection: Connection, slug: str) -> Organisation:
    """Return the organisation with a slug; raises UnknownOrganisation."""
    row = connection.execute(select(*columns()).where(OrganisationRow.c.slug == slug)).one_or_none()
    if row is None:
        raise UnknownOrganisation(slug)
    return read_organisation(row)


def list_organisations(connection: Connection) -> list[Organisation]:
    """Return all organisations, in the order of their slugs."""
    rows = connection.execute(select(*columns()).order_by(OrganisationRow.c.slug))
    return [read_organisation(row) for row in rows]


@dataclass(frozen=True)
class Image:
    """A logo or a cover."""

    data: bytes = field(repr=False)
    media_type: str


def find_logo(connection: Connection, organisation_id: int) -> Image | None:
    statement = select(OrganisationRow.c.logo, OrganisationRow.c.logo_type).where(
        OrganisationRow.c.id == organisation_id, OrganisationRow.c.logo.is_not(None)
    )
    row = connection.execute(statement).one_or_none()
    return Image(row.logo, row.logo_type) if row else None


def find_cover(connection: Connection, organisation_id: int) -> Image | None:
    statement = select(OrganisationRow.c.cover, OrganisationRow.c.cover_type).where(
        OrganisationRow.c.id == organisation_id, OrganisationRow.c.cover.is_not(None)
    )
    row = connection.execute(statement).one_or_none()
    return Image(row.cover, row.cover_type) if row else None
