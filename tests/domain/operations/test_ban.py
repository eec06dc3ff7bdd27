"""Bans that end by themselves, and those that do not."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.domain.errors import Failure
from portal.domain.operations import ban
from portal.domain.operations.ban import lift_expired_bans
from portal.domain.operations.customers import CustomerReference
from portal.domain.operations.retention import purge
from portal.domain.outbox import Notice
from portal.domain.values.email import parse_email
from portal.storage.models import Contact, Event, OutboxMail
from tests.conftest import MovableClock
from tests.domain.instrumentation import in_parallel
from tests.domain.scene import ADA, Scene, refused

MONTH = timedelta(days=30)
A_MOMENT = timedelta(seconds=1)


def _stored(scene: Scene) -> tuple[object, ...]:
    return tuple(scene.rows(select(Contact.c.banned_at, Contact.c.banned_until, Contact.c.ban_reason))[0])


def _lifted(scene: Scene) -> int:
    return len(scene.rows(select(Event.c.id).where(Event.c.kind == "unban")))


def test_a_ban_with_an_end_is_over_then_even_if_nothing_removes_it(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    scene.ban(duration=MONTH)
    clock.advance(MONTH - A_MOMENT)
    with refused(Failure.BANNED):
        scene.log_in()
    with refused(Failure.BANNED):
        scene.via_api().magic_auth()
    clock.advance(A_MOMENT)
    assert scene.is_signed_in(scene.log_in())
    assert scene.is_signed_in(scene.via_api().magic_auth())
    assert scene.is_signed_in(scene.log_in_by_email())
    scene.reset(scene.ask_reset())


def test_links_and_registrations_work_again_after_a_ban_with_an_end(scene: Scene, clock: MovableClock) -> None:
    scene.register()
    scene.ban(duration=MONTH)
    scene.request_reset()
    assert scene.mails(Notice.RESET) == []
    clock.advance(MONTH)
    scene.join()
    assert scene.mails(Notice.RESET) == []
    assert scene.ask_reset()


def test_what_a_ban_has_ended_stays_ended_after_it(scene: Scene, clock: MovableClock) -> None:
    identity, token = scene.join(), scene.ask_reset()
    scene.ban(duration=A_MOMENT)
    clock.advance(A_MOMENT)
    assert not scene.is_signed_in(identity)
    with refused(Failure.LINK_ENDED):
        scene.reset(token)


def test_retention_removes_bans_that_have_ended_and_no_others(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    scene.ban(duration=MONTH)
    clock.advance(MONTH - A_MOMENT)
    assert purge(scene.context)["ban"] == 0
    assert _stored(scene)[2] == "chargebacks"
    clock.advance(A_MOMENT)
    assert purge(scene.context)["ban"] == 1
    assert (_stored(scene), _lifted(scene)) == ((None, None, None), 1)
    assert purge(scene.context)["ban"] == 0


def test_a_ban_without_an_end_is_never_lifted(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    scene.ban()
    clock.advance(timedelta(days=10_000))
    assert purge(scene.context)["ban"] == 0
    with refused(Failure.BANNED):
        scene.log_in()


def test_a_second_ban_sets_the_end_anew(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    scene.ban(duration=MONTH)
    first = clock()
    scene.ban()
    assert _stored(scene)[:2] == (first, None)
    scene.ban(duration=MONTH)
    clock.advance(MONTH)
    scene.ban(duration=MONTH)  # after the end of the first ban, which is still stored
    assert _stored(scene)[:2] == (clock(), clock() + MONTH)


def test_unban_lifts_a_ban_before_its_end(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    scene.ban(duration=MONTH)
    assert ban.unban(scene.context, scene.visitor.organisation_id, parse_email(ADA))
    assert _stored(scene) == (None, None, None)
    assert scene.is_signed_in(scene.log_in())
    clock.advance(MONTH)
    assert purge(scene.context)["ban"] == 0


@pytest.mark.differs_on_postgresql
def test_of_several_workers_one_lifts_a_ban(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    scene.ban(duration=A_MOMENT)
    clock.advance(A_MOMENT)
    assert sorted(in_parallel([lambda: lift_expired_bans(scene.context, clock())] * 3), key=str) == [0, 0, 1]
    assert _lifted(scene) == 1


def _told(scene: Scene) -> list[tuple[str, str | None]]:
    """Return the notices of bans with the end that each names, oldest first."""
    of_bans = OutboxMail.c.notice.in_((Notice.BANNED, Notice.UNBANNED))
    rows = scene.rows(select(OutboxMail.c.notice, OutboxMail.c.details).where(of_bans).order_by(OutboxMail.c.id))
    return [(notice, details.get("until")) for notice, details in rows]


def test_the_customer_gets_an_email_of_a_ban_and_its_end_without_the_reason(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    scene.ban(duration=MONTH)
    until = (clock() + MONTH).isoformat()
    clock.advance(MONTH)
    purge(scene.context)
    assert _told(scene) == [("banned", until), ("unbanned", None)]
    assert all((mail.recipient, mail.token) == (ADA, None) for mail in scene.mails()[-2:])
    assert "chargebacks" not in str(scene.rows(select(OutboxMail)))


def test_another_end_of_a_ban_is_emailed_and_another_reason_is_not(scene: Scene) -> None:
    scene.join()
    for duration in (None, None, MONTH, MONTH):
        scene.ban(duration=duration)
    until = (scene.context.clock() + MONTH).isoformat()
    assert _told(scene) == [("banned", None), ("banned", until)]


def test_lifting_a_ban_by_hand_sends_an_email(scene: Scene) -> None:
    scene.join()
    scene.ban()
    for _ in range(2):
        ban.unban(scene.context, scene.visitor.organisation_id, parse_email(ADA))
    assert _told(scene) == [("banned", None), ("unbanned", None)]


def test_an_unconfirmed_address_gets_no_email_of_a_ban(scene: Scene) -> None:
    scene.register()
    scene.ban()
    ban.unban(scene.context, scene.visitor.organisation_id, parse_email(ADA))
    assert _told(scene) == []


def test_a_customer_without_an_address_can_be_banned(scene: Scene) -> None:
    scene.add_guest()
    scene.change_row(update(Contact).values(email=None, email_key=None, cu_ref_no="A" * 16))
    assert ban.ban(scene.context, scene.visitor.organisation_id, CustomerReference("A" * 16), "fraud", MONTH)
    assert _told(scene) == []
