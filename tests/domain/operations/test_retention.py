"""What is deleted after which time, and what is never deleted."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, select, update

from portal.domain import api_keys
from portal.domain.api_keys import KeyKind
from portal.domain.errors import Failure
from portal.domain.operations.retention import purge
from portal.domain.outbox import MailState, Notice
from portal.domain.tokens import Purpose
from portal.domain.use_cases import check_api_key
from portal.domain.use_cases.hand_over import LIFETIME, hand_over_once
from portal.domain.use_cases.resend_confirmation import resend
from portal.storage.models import Account, Contact, Event, Handover, Identity, Link, OutboxMail, Registration
from tests.conftest import MovableClock
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused

DAY = timedelta(days=1)
A_MOMENT = timedelta(seconds=1)
TABLES: tuple[Table[Any], ...] = (OutboxMail, Link, Registration, Identity, Event, Contact)


def _send_all(scene: Scene) -> None:
    """Send all due emails."""
    now = scene.context.clock()
    scene.change_row(
        update(OutboxMail)
        .where(OutboxMail.c.state == MailState.QUEUED)
        .values(state=MailState.SENT, finished_at=now, claim=None)
    )


def _counts(scene: Scene) -> dict[str, int]:
    return {table.name: scene.count(table) for table in TABLES}


def _goes_after(scene: Scene, clock: MovableClock, table: Table[Any], span: timedelta) -> None:
    """Check that a row of a table is there until its time, and gone afterwards."""
    before = scene.count(table)
    assert before
    clock.advance(span - A_MOMENT)
    purge(scene.context)
    assert scene.count(table) == before, "too early"
    clock.advance(A_MOMENT)
    assert purge(scene.context)[table.name] == before
    assert scene.count(table) == 0


def test_an_address_that_was_never_confirmed_is_deleted_completely(scene: Scene, clock: MovableClock) -> None:
    scene.register()
    _send_all(scene)
    clock.advance(8 * DAY)
    purge(scene.context)
    assert scene.count(Contact) == scene.count(Registration) == scene.count(Link) == 0
    clock.advance(scene.context.rules.event_retention)
    purge(scene.context)
    assert set(_counts(scene).values()) == {0}


def test_a_customer_is_never_deleted(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    _send_all(scene)
    clock.advance(10_000 * DAY)
    purge(scene.context)
    assert {name: count for name, count in _counts(scene).items() if count} == {"contact": 1}
    assert scene.count(Account) == 1
    scene.log_in()


def test_a_guest_is_never_deleted(scene: Scene, clock: MovableClock) -> None:
    scene.add_guest()
    clock.advance(10_000 * DAY)
    purge(scene.context)
    assert scene.count(Contact) == 1


def test_a_ban_does_not_expire(scene: Scene, clock: MovableClock) -> None:
    scene.register()
    scene.ban()
    _send_all(scene)
    clock.advance(10_000 * DAY)
    purge(scene.context)
    assert (scene.count(Registration), scene.count(Contact)) == (0, 1)


def test_a_link_is_deleted_7_days_after_it_expired(scene: Scene, clock: MovableClock) -> None:
    scene.add_guest()
    scene.request_reset()
    _send_all(scene)
    clock.advance(scene.context.rules.reset_lifetime)
    _goes_after(scene, clock, Link, 7 * DAY)


def test_a_link_is_deleted_7_days_after_it_was_used(scene: Scene, clock: MovableClock) -> None:
    scene.add_guest()
    scene.log_in_by_email()
    _send_all(scene)
    _goes_after(scene, clock, Link, 7 * DAY)


def test_a_link_is_deleted_7_days_after_it_was_withdrawn(scene: Scene, clock: MovableClock) -> None:
    scene.add_guest()
    scene.request_reset(lifetime=24 * timedelta(hours=1))
    scene.ban()
    _send_all(scene)
    _goes_after(scene, clock, Link, 7 * DAY)


@pytest.mark.parametrize("state", [MailState.QUEUED, MailState.DEAD])
def test_a_queued_mail_keeps_its_link_registration_and_contact(
    scene: Scene, clock: MovableClock, state: MailState
) -> None:
    scene.register()
    scene.change_row(update(OutboxMail).values(state=state))
    clock.advance(20 * DAY)
    purge(scene.context)
    assert [scene.count(table) for table in (OutboxMail, Link, Registration, Contact)] == [1, 1, 1, 1]


def test_a_sent_mail_is_deleted_after_30_days_and_outlives_its_link(scene: Scene, clock: MovableClock) -> None:
    scene.add_guest()
    scene.request_reset()
    _send_all(scene)
    clock.advance(10 * DAY)
    assert purge(scene.context)["link"] == 1
    _goes_after(scene, clock, OutboxMail, 20 * DAY)


@pytest.mark.parametrize("state", [MailState.DEAD, MailState.EXPIRED])
def test_an_unsent_mail_is_deleted_30_days_after_it_was_given_up(
    scene: Scene, clock: MovableClock, state: MailState
) -> None:
    scene.join()
    scene.change_row(update(OutboxMail).values(state=state, finished_at=clock()))
    _goes_after(scene, clock, OutboxMail, 30 * DAY)


def test_a_decoy_mail_is_deleted_after_a_day(scene: Scene, clock: MovableClock) -> None:
    scene.request_reset("nobody@example.com")
    _goes_after(scene, clock, OutboxMail, DAY)


def test_a_queued_mail_is_never_deleted(scene: Scene, clock: MovableClock) -> None:
    identity = scene.join()
    scene.change(identity, "violet harbour kettle 41", SECOND_PASSWORD)
    clock.advance(10_000 * DAY)
    purge(scene.context)
    assert scene.count(OutboxMail) == 2


def test_an_identity_is_deleted_30_days_after_it_expired(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    clock.now = scene.rows(select(Identity.c.expires_at))[0][0]
    _goes_after(scene, clock, Identity, 30 * DAY)


def test_an_identity_is_deleted_30_days_after_it_was_ended(scene: Scene, clock: MovableClock) -> None:
    scene.log_out(scene.join())
    _goes_after(scene, clock, Identity, 30 * DAY)


def test_an_event_is_deleted_after_its_retention_period(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    _goes_after(scene, clock, Event, scene.context.rules.event_retention)


def test_a_pending_registration_is_deleted_after_7_days(scene: Scene, clock: MovableClock) -> None:
    scene.register()
    _send_all(scene)
    clock.advance(7 * DAY - A_MOMENT)
    purge(scene.context)
    assert scene.count(Registration) == 1


def test_a_registration_for_a_known_address_is_deleted_at_the_same_time(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    clock.advance(100 * DAY)
    _send_all(scene)
    purge(scene.context)
    scene.register()
    scene.register("stranger@example.com")
    _send_all(scene)
    assert scene.count(Registration) == 2
    clock.advance(7 * DAY - A_MOMENT)
    purge(scene.context)
    assert scene.count(Registration) == 2
    clock.advance(DAY + A_MOMENT)
    purge(scene.context)
    assert scene.count(Registration) == 0


def test_a_link_sent_again_on_the_last_day_keeps_its_registration(scene: Scene, clock: MovableClock) -> None:
    registration = scene.register()
    _send_all(scene)
    clock.advance(7 * DAY - A_MOMENT)
    resend(scene.context, scene.visitor, registration)
    token = scene.token(Notice.VERIFY)
    _send_all(scene)
    clock.advance(timedelta(hours=23))
    purge(scene.context)
    assert scene.count(Registration) == 1
    assert scene.context.signer.public_id(Purpose.VERIFY, token) in [
        row[0] for row in scene.rows(select(Link.c.public_id))
    ]


def test_a_second_run_deletes_nothing(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    scene.request_reset("nobody@example.com")
    _send_all(scene)
    clock.advance(400 * DAY)
    assert sum(purge(scene.context).values())
    assert set(purge(scene.context).values()) == {0}


def test_a_former_password_is_stored_as_long_as_its_customer(scene: Scene, clock: MovableClock) -> None:
    scene.change(scene.join(), PASSWORD, SECOND_PASSWORD)
    _send_all(scene)
    clock.advance(10_000 * DAY)
    purge(scene.context)
    identity = scene.log_in(ADA, SECOND_PASSWORD)
    with refused(Failure.PASSWORD_REUSED):
        scene.change(identity, SECOND_PASSWORD, PASSWORD)


def test_an_api_key_is_never_deleted(scene: Scene, clock: MovableClock) -> None:
    _, key = api_keys.create(scene.context, scene.visitor.organisation_id, KeyKind.PRODUCTION)
    clock.advance(10_000 * DAY)
    purge(scene.context)
    caller = check_api_key.authenticate(scene.context, key, network="192.0.2.10")
    assert caller.organisation_id == scene.visitor.organisation_id


def test_a_hand_over_code_is_deleted_after_a_day(scene: Scene, clock: MovableClock) -> None:
    """While it is stored, reloading the page creates no other one."""
    identity = scene.join()
    assert hand_over_once(scene.context, scene.get(identity), "made-up-by-the-page_22")
    clock.advance(DAY)
    purge(scene.context)
    assert scene.count(Handover) == 1
    clock.advance(LIFETIME)
    assert purge(scene.context)["handover"] == 1


def test_a_deleted_address_can_register_again(scene: Scene, clock: MovableClock) -> None:
    scene.register()
    _send_all(scene)
    clock.advance(8 * DAY)
    purge(scene.context)
    scene.join()
    assert scene.rows(select(Contact.c.email)) == [(ADA,)]
