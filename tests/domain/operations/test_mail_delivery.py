"""The states of an email in the outbox, as workers and operators change them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from portal.domain.operations import mail_delivery
from portal.domain.operations.mail_delivery import delay_after
from portal.domain.outbox import MailState, Notice
from portal.storage.models import Link, OutboxMail
from tests.conftest import MovableClock
from tests.domain.operations.conftest import Outbox
from tests.domain.scene import ADA, Scene

pytestmark = pytest.mark.differs_on_postgresql

LEASE = timedelta(seconds=60)
DAY = timedelta(hours=24)


def test_the_mail_with_the_earliest_due_time_is_claimed_first(outbox: Outbox, clock: MovableClock) -> None:
    for _ in range(3):
        outbox.queue()
        clock.advance(timedelta(seconds=1))
    assert [outbox.claim().id for _ in range(3)] == [1, 2, 3]
    assert outbox.find() is None


def test_a_claimed_mail_contains_everything_that_rendering_needs(outbox: Outbox, scene: Scene) -> None:
    scene.request_reset(ADA)
    assert outbox.find() is None, "an email without a recipient was claimed"
    scene.add_guest(ADA)
    scene.request_reset(ADA, timedelta(minutes=45))
    mail = outbox.claim()
    assert (mail.notice, mail.recipient, mail.locale) == ("reset", ADA, "en")
    assert mail.organisation.name == "Customer portal"
    assert mail.link is not None
    assert (mail.link.purpose, mail.link.lifetime) == ("reset", timedelta(minutes=45))
    assert mail.obsolete is None
    assert replace(mail, claimed_at=mail.claimed_at + timedelta(minutes=45)).obsolete == "the link has expired"


def test_a_claim_expires_after_60_seconds(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    first = outbox.claim()
    clock.advance(LEASE - timedelta(microseconds=1))
    assert outbox.find() is None
    clock.advance(timedelta(microseconds=1))
    second = outbox.claim()
    assert second.id == first.id
    assert second.claim != first.claim


def test_a_renewed_claim_lasts_60_seconds_more(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    mail = outbox.claim()
    clock.advance(LEASE / 2)
    assert outbox.write(mail_delivery.renew, mail, clock)
    clock.advance(LEASE - timedelta(seconds=1))
    assert outbox.find() is None


def test_a_late_result_of_a_lost_claim_is_ignored(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    late = outbox.claim()
    clock.advance(LEASE)
    current = outbox.claim()
    before = outbox.row()
    assert not outbox.sent(late)
    assert not outbox.retry(late)
    assert not outbox.mark_dead(late)
    assert not outbox.write(mail_delivery.mark_expired, late, clock, "late")
    assert not outbox.write(mail_delivery.hand_back, late)
    assert not outbox.write(mail_delivery.renew, late, clock)
    assert outbox.row() == before
    assert outbox.sent(current)


def test_a_result_takes_effect_once(outbox: Outbox) -> None:
    outbox.queue()
    mail = outbox.claim()
    assert outbox.sent(mail)
    assert not outbox.retry(mail)
    assert outbox.row().state == MailState.SENT


def test_a_result_after_the_lease_counts_unless_another_worker_claimed_the_mail(
    outbox: Outbox, clock: MovableClock
) -> None:
    outbox.queue()
    mail = outbox.claim()
    clock.advance(LEASE * 2)
    assert outbox.sent(mail)
    assert outbox.find() is None


def test_a_failed_attempt_is_retried_after_5_to_15_seconds_with_exponential_backoff(
    outbox: Outbox, clock: MovableClock
) -> None:
    outbox.queue()
    seconds = []
    for _ in range(8):
        assert outbox.retry(outbox.claim())
        seconds.append((outbox.row().due_at - clock()).total_seconds())
        assert outbox.find() is None
        clock.now = outbox.row().due_at
    assert 5 <= seconds[0] < 15
    for measured, usual in zip(seconds[1:], (30, 60, 120, 300, 600, 600, 600), strict=True):
        assert usual * 0.6 < measured < usual * 1.4
    assert outbox.row().attempts == 8
    assert outbox.row().reason == "450 later"


def test_retries_have_jitter() -> None:
    assert len({delay_after(1) for _ in range(20)}) > 10


def test_an_attempt_that_fails_after_24_hours_is_the_last(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    clock.advance(DAY - timedelta(seconds=1))
    outbox.retry(outbox.claim())
    assert outbox.row().state == MailState.QUEUED
    clock.advance(timedelta(minutes=1))
    outbox.retry(outbox.claim())
    row = outbox.row()
    assert (row.state, row.reason) == (MailState.DEAD, "given up after 24 hours: 450 later")
    assert row.finished_at == clock()


def test_a_mail_that_waited_24_hours_for_the_server_is_still_attempted(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    clock.advance(DAY * 2)
    assert outbox.sent(outbox.claim())


def test_a_released_mail_loses_no_attempt_and_keeps_its_place(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    clock.advance(timedelta(seconds=1))
    outbox.queue()
    mail = outbox.claim()
    assert outbox.write(mail_delivery.hand_back, mail)
    assert (outbox.row().attempts, outbox.row().claim, outbox.row().reason) == (0, None, None)
    assert outbox.claim().id == mail.id


@pytest.mark.parametrize("column", [Link.c.used_at, Link.c.ended_at, Link.c.expires_at])
def test_a_mail_with_an_ended_link_is_claimed_as_obsolete(outbox: Outbox, scene: Scene, column: Any) -> None:
    scene.add_guest()
    scene.request_reset()
    scene.change_row(update(Link).values({column: outbox.context.clock()}))
    mail = outbox.claim()
    reason = mail.obsolete
    assert reason is not None
    assert outbox.write(mail_delivery.mark_expired, mail, outbox.context.clock, reason)
    assert (outbox.row().state, outbox.row().reason) == (MailState.EXPIRED, reason)


def test_a_row_that_names_an_unknown_purpose_can_be_claimed(outbox: Outbox, scene: Scene) -> None:
    scene.add_guest()
    scene.request_reset()
    scene.change_row(update(Link).values(purpose="unheard of"))
    assert outbox.claim().link is not None


@pytest.mark.on_postgresql
def test_workers_skip_rows_that_others_have_locked(outbox: Outbox) -> None:
    outbox.queue()
    outbox.queue()
    with outbox.context.database.write() as connection:
        mail = mail_delivery.claim_next(connection, outbox.context.clock, "uncommitted")
        assert mail is not None
        assert outbox.claim().id != mail.id


def test_an_urgent_mail_does_not_wait_behind_thousands_of_others(outbox: Outbox, scene: Scene) -> None:
    now = outbox.context.clock()
    others = [
        {
            "organisation_id": scene.visitor.organisation_id,
            "notice": Notice.PASSWORD_CHANGED,
            "is_urgent": False,
            "recipient": ADA,
            "message_id": f"other-{number}",
            "state": MailState.QUEUED,
            "due_at": now - timedelta(hours=1),
            "created_at": now,
        }
        for number in range(5000)
    ]
    with outbox.context.database.write() as connection:
        connection.execute(insert(OutboxMail), others)
    assert outbox.claim().notice == Notice.PASSWORD_CHANGED
    scene.add_guest()
    scene.request_reset()
    assert outbox.claim().notice == Notice.RESET
    assert outbox.claim().notice == Notice.PASSWORD_CHANGED


def test_a_mail_stores_the_request_that_caused_it_and_a_decoy_does_not(outbox: Outbox) -> None:
    outbox.queue()
    outbox.queue(wanted=False)
    mail = outbox.claim()
    assert (mail.ip, mail.user_agent) == (outbox.visitor.ip, outbox.visitor.user_agent) == ("192.0.2.10", "Browser/1.0")
    with outbox.context.database.read() as connection:
        void = connection.execute(
            select(OutboxMail.c.ip, OutboxMail.c.user_agent).where(OutboxMail.c.state == MailState.DECOY)
        )
        assert void.all() == [(None, None)]
