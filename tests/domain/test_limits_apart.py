"""Rate limits count separately for each organisation."""

from collections.abc import Callable

import pytest
from limits import parse as parse_limit

from portal.domain.errors import Failure, Refused
from tests.domain.scene import ADA, WRONG_PASSWORD, Scene


def guess(scene: Scene) -> None:
    scene.log_in(ADA, WRONG_PASSWORD)


def register(scene: Scene) -> None:
    scene.register(ADA)


def ask_for_a_reset(scene: Scene) -> None:
    scene.request_reset()


def guess_a_link(scene: Scene) -> None:
    scene.reset("nonsense")


def vouch_for_who_is_banned(scene: Scene) -> None:
    scene.magic_auth("banned@example.com")


@pytest.mark.parametrize(
    ("limit", "work"),
    [
        ("login_limit_account", guess),
        ("login_limit_account", vouch_for_who_is_banned),
        ("login_limit_network", guess),
        ("login_limit_network", guess_a_link),
        ("login_limit_network", vouch_for_who_is_banned),
        ("register_limit_network", register),
        ("mail_limit_network", register),
        ("mail_limit_network", ask_for_a_reset),
        ("mail_limit_address", register),
        ("mail_limit_address", ask_for_a_reset),
    ],
)
def test_a_rate_limit_reached_at_one_organisation_does_not_apply_to_another(
    first: Scene, second: Scene, limit: str, work: Callable[[Scene], None]
) -> None:
    rules = {limit: parse_limit("1 per hour")}
    for scene in (first, second):
        scene.add_guest("banned@example.com")
        scene.ban("banned@example.com")
    first, second = first.with_rules(**rules), second.with_rules(**rules)
    assert not is_throttled(first, work)
    assert is_throttled(first, work)
    assert not is_throttled(second, work)
    assert is_throttled(second, work)


def is_throttled(scene: Scene, work: Callable[[Scene], None]) -> bool:
    try:
        work(scene)
    except Refused as refusal:
        return refusal.failure in (
            Failure.TOO_MANY_LOGINS,
            Failure.TOO_MANY_MAILS,
            Failure.TOO_MANY_REGISTRATIONS,
        )
    return False
