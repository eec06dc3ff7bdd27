"""The link "This wasn't me": what it ends, and that it works once."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select

from portal.domain.context import NOTICE_LINK_LIFETIME
from portal.domain.errors import Failure
from portal.domain.outbox import Notice
from portal.domain.tokens import Purpose
from portal.domain.use_cases.set_new_password import get_reset_link, reset_and_sign_in
from portal.storage.models import Device, Event
from tests.conftest import MovableClock
from tests.domain.instrumentation import in_parallel
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused


@pytest.fixture
def attacked(scene: Scene) -> Scene:
    """An account in which an attacker has signed in with the password."""
    scene.join()
    scene.in_known_browser()
    return scene


def _token(scene: Scene) -> str:
    return scene.token(Notice.NEW_SIGN_IN)


def test_it_ends_everything_and_begins_a_reset(attacked: Scene) -> None:
    identities = [attacked.log_in(), attacked.via_api().log_in()]
    reset = attacked.ask_reset()
    link = attacked.report_not_me(_token(attacked))
    assert [attacked.is_signed_in(identity) for identity in identities] == [False, False]
    assert attacked.count(Device) == 0
    with refused(Failure.LINK_ENDED):
        attacked.reset(reset)
    attacked.reset(attacked.context.signer.token(Purpose.RESET, link))
    assert attacked.is_signed_in(attacked.log_in(ADA, SECOND_PASSWORD))


def test_the_password_is_locked_until_the_mailbox_is_proven(attacked: Scene) -> None:
    thief = attacked.in_known_browser()
    attacked.report_not_me(_token(attacked))
    for browser in (attacked, thief):
        with refused(Failure.PASSWORD_LOCKED):
            browser.log_in()
    attacked.log_in_by_email()
    assert attacked.log_in()


def test_the_password_that_the_attacker_knows_cannot_be_set_again(attacked: Scene) -> None:
    token = attacked.context.signer.token(Purpose.RESET, attacked.report_not_me(_token(attacked)))
    link = get_reset_link(attacked.context, attacked.visitor, token)
    reset = partial(reset_and_sign_in, attacked.context, attacked.visitor, link, remember=False, replacing=None)
    with refused(Failure.PASSWORD_REUSED):
        reset(PASSWORD)
    reset(SECOND_PASSWORD)
    with refused(Failure.WRONG_PASSWORD):
        attacked.log_in()


def test_a_customer_without_a_password_can_set_one(scene: Scene) -> None:
    scene.add_guest()
    identities = [scene.log_in_by_email(), scene.log_in_by_email()]
    link = scene.report_not_me(_token(scene))
    assert not any(scene.is_signed_in(identity) for identity in identities)
    scene.reset(scene.context.signer.token(Purpose.RESET, link), PASSWORD)
    assert scene.log_in()


def test_it_works_once_and_is_recorded(attacked: Scene) -> None:
    token = _token(attacked)
    attacked.report_not_me(token)
    with refused(Failure.LINK_ENDED):
        attacked.report_not_me(token)
    assert len(attacked.rows(select(Event.c.id).where(Event.c.kind == "not_me", Event.c.refusal.is_(None)))) == 1


@pytest.mark.differs_on_postgresql
def test_of_parallel_uses_one_succeeds(attacked: Scene) -> None:
    token = _token(attacked)
    results = in_parallel([lambda: attacked.report_not_me(token)] * 3)
    assert sum(isinstance(result, str) for result in results) == 1


def test_it_expires(attacked: Scene, clock: MovableClock) -> None:
    token = _token(attacked)
    clock.advance(NOTICE_LINK_LIFETIME - timedelta(seconds=1))
    attacked.open_not_me(token)
    clock.advance(timedelta(seconds=1))
    with refused(Failure.LINK_EXPIRED):
        attacked.report_not_me(token)


def test_a_later_notice_can_be_answered_too(attacked: Scene) -> None:
    identity = attacked.log_in()
    attacked.end_others(identity)
    attacked.report_not_me(attacked.token(Notice.SESSIONS_ENDED))


def test_a_banned_customer_cannot_use_it(attacked: Scene) -> None:
    token = _token(attacked)
    attacked.ban()
    with refused(Failure.LINK_ENDED):
        attacked.report_not_me(token)


def test_the_link_is_worthless_at_another_organisation(attacked: Scene) -> None:
    with refused(Failure.NO_SUCH_LINK):
        attacked.at_another_organisation().report_not_me(_token(attacked))
