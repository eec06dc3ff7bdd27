"""Commands of an operator."""

from collections.abc import Callable
from functools import partial

from portal.domain import api_keys
from portal.domain.api_keys import KeyKind
from portal.domain.operations import ban
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.end_sessions import end_sessions
from portal.domain.operations.organisation_settings import (
    OrganisationChanges,
    Portal,
    add_organisation,
    change_organisation,
)
from portal.domain.operations.reset_two_step import reset_two_step
from portal.domain.values.email import parse_email
from portal.storage.backends import TransactionConflict
from tests.faults.single_requests.two_step import with_a_second_step
from tests.faults.single_requests.world import ADA, Act, Answer, Requests, World

PORTAL = Portal(languages=["en"], hostname="portal.example.com")


def by_operator(do: Callable[[], object]) -> Act:
    def act() -> Answer:
        try:
            do()
        except TransactionConflict:
            return 503, None
        return 0, None

    return act


def operator_bans(world: World) -> Act:
    return by_operator(partial(ban.ban, world.site.context, 1, world.guest(), "spam"))


def operator_lifts_a_ban(world: World) -> Act:
    guest = world.guest()
    ban.ban(world.site.context, 1, guest, "spam")
    return by_operator(partial(ban.unban, world.site.context, 1, guest))


def operator_deletes(world: World) -> Act:
    return by_operator(partial(delete_customer, world.site.context, 1, world.guest()))


def operator_ends_sessions(world: World) -> Act:
    assert world.ada().is_signed_in
    return by_operator(partial(end_sessions, world.site.context, 1, parse_email(ADA)))


def operator_makes_a_key(world: World) -> Act:
    return by_operator(partial(api_keys.create, world.site.context, 1, KeyKind.DEVELOPER))


def operator_revokes_a_key(world: World) -> Act:
    key_id, _ = api_keys.create(world.site.context, 1, KeyKind.DEVELOPER)
    return by_operator(partial(api_keys.revoke, world.site.context, key_id))


def operator_adds_an_organisation(world: World) -> Act:
    slug = f"shop{next(world.numbers)}"
    return by_operator(partial(add_organisation, world.site.context, slug, {"name": "Shop"}, PORTAL))


def operator_changes_an_organisation(world: World) -> Act:
    given: OrganisationChanges = {"name": f"Shop {next(world.numbers)}"}
    return by_operator(partial(change_organisation, world.site.context, "default", given, PORTAL))


def operator_resets_two_step(world: World) -> Act:
    address = parse_email(with_a_second_step(world)[2])
    return by_operator(partial(reset_two_step, world.site.context, 1, address, "lost phone"))


REQUESTS: Requests = [
    *(operator_bans, operator_lifts_a_ban, operator_deletes, operator_ends_sessions, operator_resets_two_step),
    *(operator_makes_a_key, operator_revokes_a_key, operator_adds_an_organisation),
    operator_changes_an_organisation,
]
