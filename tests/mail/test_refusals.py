"""A mail server that rejects one recipient, every email, or the sender."""

from datetime import timedelta

import pytest

from portal.mail.worker import MailWorker
from tests.conftest import MovableClock
from tests.mail.conftest import OpenOffice
from tests.mail.mail_portal import ADA, MailPortal
from tests.mail.sink import Sink, Stage

TRY_AGAIN = timedelta(seconds=15)


@pytest.mark.parametrize("code", ["550 5.1.1 <ada@example.com>: nobody here", "552 5.3.4 too large"])
@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.DOT])
def test_a_refused_recipient_is_given_up_with_the_reason_and_delays_no_other_mail(
    mail_portal: MailPortal, sink: Sink, stage: Stage, code: str
) -> None:
    refused = mail_portal.queue()
    sink.script[stage] = code
    assert mail_portal.work() == 0
    row = mail_portal.row(refused)
    assert (row.state, row.attempts, row.finished_at) == ("dead", 1, mail_portal.context.clock())
    assert row.reason == code.replace("<ada@example.com>:", "<address>")
    sink.script.clear()
    mail_portal.queue("grace@example.com")
    mail_portal.work()
    assert [received.envelope.recipients for received in sink.messages] == [("grace@example.com",)]


def test_only_the_mail_with_the_bad_recipient_is_given_up(mail_portal: MailPortal, sink: Sink) -> None:
    sink.refused["bad@example.com"] = "550 5.1.1 no such user"
    for recipient in (ADA, "bad@example.com", "grace@example.com"):
        mail_portal.queue(recipient)
    mail_portal.work()
    assert mail_portal.states() == ["sent", "dead", "sent"]


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.DOT])
@pytest.mark.parametrize("code", ["554 5.7.1 you are on a list", "550 5.7.26 not you", "554 go away"])
def test_a_server_that_refuses_every_mail_makes_none_given_up(
    mail_portal: MailPortal, sink: Sink, clock: MovableClock, stage: Stage, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    mail_portal.queue("first@example.com")
    mail_portal.work()
    mails = [mail_portal.queue(f"customer{number}@example.com") for number in range(4)]
    sink.script[stage] = code
    for _ in range(8):
        mail_portal.work()
        clock.advance(timedelta(minutes=15))
    assert mail_portal.work() >= 24, "nothing pauses"
    assert {mail_portal.row(mail).state for mail in mails} == {"queued"}
    assert f"the mail server rejects all emails; check MAIL_* ({code})" in caplog.text
    sink.script.clear()
    clock.advance(timedelta(minutes=15))
    assert mail_portal.work() == 0
    assert mail_portal.states() == ["sent"] * 5
    assert len(sink.messages) == 5


@pytest.mark.parametrize("change", ["another worker", "a worker that began anew"])
def test_a_server_that_refuses_every_mail_makes_none_given_up_over_several_workers(
    open_office: OpenOffice, mail_portal: MailPortal, sink: Sink, clock: MovableClock, change: str
) -> None:
    other = open_office(sink)
    mails = [mail_portal.queue(f"customer{number}@example.com") for number in range(2)]
    sink.script[Stage.RCPT] = "554 5.7.1 you are on a list"
    for _ in range(4):
        mail_portal.work()
        clock.advance(timedelta(minutes=15))
        if change == "another worker":
            other.work()
            clock.advance(timedelta(minutes=15))
        else:
            mail_portal.worker = MailWorker(mail_portal.app)
    assert {mail_portal.row(mail).state for mail in mails} == {"queued"}
    assert min(mail_portal.row(mail).attempts for mail in mails) > 2
    sink.script.clear()
    mail_portal.work()
    assert mail_portal.states() == ["sent"] * 2


def test_a_server_that_begins_to_refuse_every_mail_makes_no_deferred_mail_given_up(
    mail_portal: MailPortal, sink: Sink, clock: MovableClock
) -> None:
    mail_portal.queue()
    sink.script[Stage.RCPT] = "451 4.3.0 come back"
    mail_portal.work()
    sink.script.clear()
    mail_portal.queue("grace@example.com")
    mail_portal.work()
    sink.script[Stage.RCPT] = "554 5.7.1 you are on a list"
    clock.advance(TRY_AGAIN)
    mail_portal.work()
    assert mail_portal.states() == ["queued", "sent"]


def test_a_policy_refusal_of_one_recipient_gives_up_that_mail_only(
    mail_portal: MailPortal, sink: Sink, clock: MovableClock
) -> None:
    sink.refused["bad@example.com"] = "550 5.7.1 not from you"
    for recipient in (ADA, "bad@example.com", "grace@example.com"):
        mail_portal.queue(recipient)
    assert mail_portal.work() == 0
    assert mail_portal.states() == ["sent", "queued", "sent"]
    mail_portal.queue()
    clock.advance(TRY_AGAIN)
    assert mail_portal.work() == 0
    assert mail_portal.states() == ["sent", "dead", "sent", "sent"]
    assert mail_portal.row(2).reason == "550 5.7.1 not from you"


def test_a_refused_sender_pauses_the_worker_and_costs_no_attempt(mail_portal: MailPortal, sink: Sink) -> None:
    mail = mail_portal.queue()
    sink.script[Stage.MAIL] = "550 5.7.1 you may not send as that"
    assert mail_portal.work() > 0
    assert (mail_portal.row(mail).state, mail_portal.row(mail).attempts) == ("queued", 0)


def test_a_mail_refused_as_too_large_at_mail_from_is_given_up(mail_portal: MailPortal, sink: Sink) -> None:
    mail = mail_portal.queue()
    sink.script[Stage.MAIL] = "552 5.3.4 too large"
    assert mail_portal.work() == 0
    assert mail_portal.row(mail).state == "dead"
