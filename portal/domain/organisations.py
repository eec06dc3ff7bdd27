"""Organisations: whose customers the portal serves."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from portal.domain.models import Organisation as OrganisationRow


@dataclass(frozen=True)
class Organisation:
    """What everything else needs to know of an organisation."""

    id: int
    slug: str
    name: str


class UnknownOrganisation(LookupError):
    """No organisation has this slug; the message is one sentence for the operator."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is no organisation {slug!r}.")


_by_slug = select(OrganisationRow.id, OrganisationRow.slug, OrganisationRow.name).where(
    OrganisationRow.slug == bindparam("slug")
)


def get_organisation(connection: Connection, slug: str) -> Organisation:
    """The organisation with a slug; raises UnknownOrganisation."""
    row = connection.execute(_by_slug, {"slug": slug}).one_or_none()
    if row is None:
        raise UnknownOrganisation(slug)
    return Organisation(*row)
