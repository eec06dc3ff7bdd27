"""What `portal check` says of organisations: where their pages are, and whether their sites get hand-over codes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portal.cli.check_servers import Finding
from portal.domain.organisations import DEFAULT, Organisation, list_organisations
from portal.domain.use_cases.hand_over import list_redeeming
from portal.settings import Settings
from portal.storage.database import Database


@dataclass(frozen=True)
class Served:
    """An organisation, and whether its server has redeemed hand-over codes."""

    organisation: Organisation
    redeems: bool

    @property
    def name(self) -> str:
        """What a line about it begins with."""
        return f"organisation {self.organisation.slug}"

    @property
    def gets_no_codes(self) -> bool:
        """Whether customers come back to its site, and bring no code to any page."""
        return bool(self.organisation.return_origins) and not self.organisation.handover_urls

    @property
    def expects_codes(self) -> bool:
        """Whether its site uses codes: its server has redeemed some, or it shows the portal in a frame.

        A site that only gives the API a `returnUrl` has return origins, too, and needs no code.
        """
        return self.redeems or bool(self.organisation.frame_ancestors)


def read_organisations(database: Database) -> list[Served]:
    """Read all organisations; raises DatabaseUnavailable."""
    with database.read() as connection:
        redeeming = list_redeeming(connection)
        return [Served(one, one.id in redeeming) for one in list_organisations(connection)]


def find_in_organisations(organisations: Sequence[Served], settings: Settings) -> Iterator[Finding]:
    """What is incomplete about them."""
    for one in organisations:
        if one.organisation.slug != DEFAULT:
            yield from ((one.name, problem) for problem in _pages(one.organisation, settings))
        if one.gets_no_codes and one.expects_codes:
            yield (
                one.name,
                "has return origins and no hand-over address: customers come back to its site without a code for its"
                " server. List the pages that redeem codes by --handover-url.",
            )


def notes_on_organisations(organisations: Sequence[Served]) -> Iterator[Finding]:
    """What may be meant as it is."""
    for one in organisations:
        if one.gets_no_codes and not one.expects_codes:
            yield (
                one.name,
                "customers come back to its return origins without a hand-over code. If its server is to redeem codes,"
                " list the pages that get them by --handover-url.",
            )


def _pages(organisation: Organisation, settings: Settings) -> Iterator[str]:
    if organisation.hostname is None:
        yield f"has no host name: links in its mails lead to the pages of {DEFAULT}. Set --hostname."
    elif organisation.hostname == settings.hostname:
        yield f"has the host of BASE_URL, where the pages of {DEFAULT} are. Set another --hostname."
