"""The limit of emails to an address per hour, whose last one is reserved for another network."""

from collections.abc import Callable
from functools import partial

import pytest
from limits import parse as parse_limit
from sqlalchemy import select

from portal.domain.errors import Failure, Refused
from portal.domain.use_cases.log_in_by_email import request_sign_in
from portal.domain.values.email import parse_email
from portal.storage.models import Event
from tests.domain.instrumentation import in_parallel
from tests.domain.scene import ADA, Scene, refused
from tests.passing_time import passing_time

STRANGERS, OWNERS, OTHERS = "198.51.100.7", "203.0.113.5", "203.0.113.99"
Ask = Callable[[Scene], object]


def ask_reset(scene: Scene) -> None:
    scene.request_reset()


def ask_sign_in(scene: Scene) -> None:
    request_sign_in(scene.context, scene.visitor, parse_email(ADA))


def register(scene: Scene) -> None:
    scene.register()


every_way = pytest.mark.parametrize("ask", [ask_reset, ask_sign_in, register])


def passed(ask: Ask, scene: Scene, times: int) -> int:
    """Return how many of these were sent."""
    return sum(1 for _ in range(times) if got_through(ask, scene))


def got_through(ask: Ask, scene: Scene) -> bool:
    try:
        ask(scene)
    except Refused as refusal:
        if refusal.failure not in (Failure.TOO_MANY_MAILS, Failure.TOO_MANY_REGISTRATIONS):
            raise
        return False
    return True


@every_way
@pytest.mark.parametrize("known", [True, False])
def test_one_network_cannot_use_up_the_last_email_of_an_address(scene: Scene, ask: Ask, known: bool) -> None:
    if known:
        scene.add_guest()
    assert passed(ask, scene.elsewhere(STRANGERS), 8) == 5
    assert passed(ask, scene.elsewhere(OWNERS), 3) == 1
    assert passed(ask, scene.elsewhere(OTHERS), 3) == 0
    assert passed(ask, scene.elsewhere(STRANGERS), 3) == 0


@every_way
def test_the_last_email_is_not_reserved_for_a_network_that_asked_in_this_hour(scene: Scene, ask: Ask) -> None:
    assert passed(ask, scene.elsewhere(OWNERS), 1) == 1
    assert passed(ask, scene.elsewhere(STRANGERS), 5) == 4
    assert passed(ask, scene.elsewhere(OWNERS), 1) == 0
    assert passed(ask, scene.elsewhere(OTHERS), 1) == 1


def test_one_email_is_reserved_in_each_hour(scene: Scene) -> None:
    with passing_time(1_800_000_000) as travel:
        for _ in range(2):
            assert passed(ask_reset, scene.elsewhere(STRANGERS), 6) == 5
            assert passed(ask_reset, scene.elsewhere(OWNERS), 2) == 1
            travel.shift(3600)


def test_a_request_without_a_network_gets_no_reserved_email(scene: Scene) -> None:
    scene.add_guest()
    assert passed(ask_reset, scene.elsewhere(STRANGERS), 6) == 5
    assert passed(ask_reset, scene.via_api(), 2) == 0
    assert passed(ask_reset, scene.via_api(OWNERS), 2) == 1


@pytest.mark.differs_on_postgresql
def test_of_many_networks_in_parallel_one_gets_the_last_email(scene: Scene) -> None:
    places = [scene.elsewhere(f"198.51.100.{number}") for number in range(20)]
    outcomes = in_parallel([partial(got_through, ask_reset, place) for place in places])
    assert outcomes.count(True) == 6


def test_a_registration_refused_for_its_password_does_not_use_the_reserved_email(scene: Scene) -> None:
    assert passed(register, scene.elsewhere(STRANGERS), 5) == 5
    owner = scene.elsewhere(OWNERS)
    for _ in range(3):
        with refused(Failure.REGISTRATION_FAILED):
            owner.register(password="1234")
    assert passed(register, owner, 2) == 1


def test_the_first_refusal_is_recorded_whichever_network_got_the_last_email(scene: Scene) -> None:
    passed(ask_reset, scene.elsewhere(STRANGERS), 5)
    passed(ask_reset, scene.elsewhere(OWNERS), 1)
    passed(ask_reset, scene.elsewhere(STRANGERS), 5)
    refusals = select(Event.c.refusal).where(Event.c.refusal.is_not(None))
    assert scene.rows(refusals) == [("TOO_MANY_MAILS",)]


def test_a_network_over_its_own_limit_gets_no_reserved_email(scene: Scene) -> None:
    scene = scene.with_rules(mail_limit_network=parse_limit("3 per hour"))
    for number in range(3):
        scene.elsewhere(OWNERS).request_reset(f"nobody{number}@example.com")
    assert passed(ask_reset, scene.elsewhere(OWNERS), 1) == 0
