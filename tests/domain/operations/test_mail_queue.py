"""The emails that an operator lists and sends again."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from portal.domain.outbox import MailState
from portal.storage.models import OutboxMail
from tests.conftest import MovableClock
from tests.domain.operations.conftest import Outbox
from tests.domain.scene import ADA, Scene

pytestmark = pytest.mark.differs_on_postgresql


def test_the_mail_list_is_newest_first_without_decoys(outbox: Outbox, scene: Scene) -> None:
    outbox.queue()
    outbox.queue(wanted=False)
    outbox.queue()
    other = Outbox(outbox.context, scene.at_another_organisation().visitor)
    other.queue()
    assert [mail.id for mail in outbox.listed()] == [4, 3, 1]
    assert [mail.id for mail in outbox.listed(other.visitor.organisation_id)] == [4]
    assert [mail.id for mail in outbox.listed(limit=1)] == [4]
    assert (outbox.listed()[0].state, outbox.listed()[0].recipient) == (MailState.QUEUED, ADA)


def test_retrying_a_dead_mail_starts_from_the_first_attempt(outbox: Outbox, clock: MovableClock) -> None:
    outbox.queue()
    outbox.mark_dead(outbox.claim())
    assert outbox.find() is None
    clock.advance(timedelta(hours=1))
    assert outbox.requeue(1)
    row = outbox.row()
    assert (row.state, row.attempts, row.due_at, row.finished_at) == (MailState.QUEUED, 0, clock(), None)
    assert outbox.sent(outbox.claim())


def test_retrying_a_queued_mail_makes_it_due_now(outbox: Outbox) -> None:
    outbox.queue()
    outbox.retry(outbox.claim())
    assert outbox.requeue(1)
    assert outbox.claim().attempts == 1


def test_retrying_a_claimed_mail_does_not_release_it(outbox: Outbox) -> None:
    outbox.queue()
    mail = outbox.claim()
    outbox.requeue(1)
    assert outbox.find() is None
    assert outbox.sent(mail)


@pytest.mark.parametrize("state", [MailState.SENT, MailState.EXPIRED, MailState.DECOY])
def test_retrying_a_finished_mail_is_refused(outbox: Outbox, scene: Scene, state: MailState) -> None:
    outbox.queue()
    scene.change_row(update(OutboxMail).values(state=state))
    assert not outbox.requeue(1)
    assert not outbox.requeue(99)
    assert outbox.find() is None
