"""Checks of organisations for `portal check`: their host names and hand-over URLs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portal.cli.check_servers import Finding
from portal.domain.organisations import DEFAULT, Organisation, list_organisations
from portal.domain.use_cases.hand_over import list_redeeming
from portal.settings import Settings
from portal.storage.database import Database


@dataclass(frozen=True)
class OrganisationState:
    """An organisation, and whether its server has redeemed hand-over codes."""

    organisation: Organisation
    redeems: bool

    @property
    def name(self) -> str:
        """The name in a line of the output."""
        return f"organisation {self.organisation.slug}"

    @property
    def gets_no_codes(self) -> bool:
        """Whether customers return to its site, and no page of it gets hand-over codes."""
        return bool(self.organisation.return_origins) and not self.organisation.handover_urls

    @property
    def expects_codes(self) -> bool:
        """Whether its site uses codes: its server has redeemed one, or it shows the portal in a frame.

        A site that only sends a `returnUrl` to the API also has return origins, and needs no code.
        """
        return self.redeems or bool(self.organisation.frame_ancestors)


def read_organisations(database: Database) -> list[OrganisationState]:
    """Read all organisations; raises DatabaseUnavailable."""
    with database.read() as connection:
        redeeming = list_redeeming(connection)
        return [OrganisationState(each, each.id in redeeming) for each in list_organisations(connection)]


def find_in_organisations(organisations: Sequence[OrganisationState], settings: Settings) -> Iterator[Finding]:
    """Yield incomplete settings of organisations."""
    for each in organisations:
        if each.organisation.slug != DEFAULT:
            yield from ((each.name, problem) for problem in _hostname_problems(each.organisation, settings))
        if each.gets_no_codes and each.expects_codes:
            yield (
                each.name,
                "has return origins and no hand-over URL, so customers return without a code for its server;"
                " set the pages that redeem codes with --handover-url",
            )


def notes_on_organisations(organisations: Sequence[OrganisationState]) -> Iterator[Finding]:
    """Yield settings that may be intended."""
    for each in organisations:
        if each.gets_no_codes and not each.expects_codes:
            yield (
                each.name,
                "customers return to its site without a hand-over code; if its server redeems codes, set the pages that"
                " get them with --handover-url",
            )


def _hostname_problems(organisation: Organisation, settings: Settings) -> Iterator[str]:
    if organisation.hostname is None:
        yield f"no host name, so links in its emails lead to the pages of {DEFAULT}; set one with --hostname"
    elif organisation.hostname == settings.hostname:
        yield f"has the host name of BASE_URL, which shows the pages of {DEFAULT}; set another one with --hostname"
