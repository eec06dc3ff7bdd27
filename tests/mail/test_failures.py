"""A mail server that fails: what the worker tries again, what it gives up, and what does not count as an attempt."""

import logging
from datetime import timedelta

import pytest

from portal.domain.operations.mail_queue import queued_mails
from portal.domain.outbox import Notice
from tests.conftest import MovableClock
from tests.mail.conftest import OpenOffice
from tests.mail.mail_portal import ADA, MailPortal
from tests.mail.sink import Act, Sink, Stage

TRY_AGAIN = timedelta(seconds=15)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT])
def test_a_4xx_to_a_mail_is_retried_within_15_seconds(
    mail_portal: MailPortal, sink: Sink, clock: MovableClock, stage: Stage
) -> None:
    mail = mail_portal.queue()
    sink.script[stage] = f"451 4.3.0 {ADA} come\x07 back"
    assert mail_portal.work() == 0
    row = mail_portal.row(mail)
    assert (row.state, row.attempts, row.claim) == ("queued", 1, None)
    assert row.reason == "451 4.3.0 <address> come back"
    sink.script.clear()
    mail_portal.work()
    assert sink.messages == [], "it is tried again at once"
    clock.advance(TRY_AGAIN)
    mail_portal.work()
    assert len(sink.messages) == 1


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.EHLO, Stage.STARTTLS, Stage.AUTH])
@pytest.mark.parametrize("code", ["421 later", "554 5.7.1 never"])
def test_a_refused_connection_pauses_the_worker_and_costs_no_attempt(
    open_office: OpenOffice, stage: Stage, code: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Sink(starttls=True, auth=True) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", sink.certificate)
        mail_portal = open_office(sink, MAIL_USE_TLS="true", MAIL_USERNAME="portal", MAIL_PASSWORD="canary")
        mails = [mail_portal.queue(), mail_portal.queue()]
        sink.script[stage] = code
        caplog.set_level(logging.INFO, "portal.mail")
        assert 4 <= mail_portal.work() <= 5
        for mail in mails:
            row = mail_portal.row(mail)
            assert (row.state, row.attempts, row.claim, row.reason) == ("queued", 0, None, None)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert code in caplog.text
        sink.script.clear()
        assert mail_portal.work() == 0
        assert len(sink.messages) == 2
        assert "canary" not in caplog.text


def test_a_pause_grows_to_30_seconds_and_resets_after_a_success(mail_portal: MailPortal, sink: Sink) -> None:
    mail_portal.queue()
    sink.script[Stage.CONNECT] = "421 later"
    pauses = [mail_portal.work() for _ in range(6)]
    assert pauses == sorted(pauses[:4]) + pauses[4:]
    assert max(pauses) <= 30
    assert min(pauses[3:]) >= 24
    sink.script.clear()
    assert mail_portal.work() == 0
    mail_portal.queue()
    sink.script[Stage.CONNECT] = "421 later"
    assert mail_portal.work() <= 5


def test_mails_wait_while_no_server_listens_and_are_sent_after(mail_portal: MailPortal, sink: Sink) -> None:
    sink.stop()
    mails = [mail_portal.queue(f"customer{number}@example.com") for number in range(3)]
    assert mail_portal.work() > 0
    assert [mail_portal.row(mail).attempts for mail in mails] == [0, 0, 0]
    sink.start()
    assert mail_portal.work() == 0
    assert len(sink.messages) == 3


def test_an_hour_without_a_mail_server_loses_no_mail(mail_portal: MailPortal, sink: Sink, clock: MovableClock) -> None:
    sink.stop()
    recipients = [f"customer{number}@example.com" for number in range(10)]
    mails = [mail_portal.queue(recipient, Notice.PASSWORD_CHANGED) for recipient in recipients]
    end = clock() + timedelta(hours=1)
    pauses = set()
    while clock() < end:
        pause = mail_portal.work()
        pauses.add(pause)
        clock.advance(timedelta(seconds=max(pause, 1)))
    assert len(pauses) > 100, "workers that failed together return together"
    assert {(mail_portal.row(mail).state, mail_portal.row(mail).attempts) for mail in mails} == {("queued", 0)}
    with mail_portal.context.database.read() as connection:
        waiting, age = queued_mails(connection, clock)
    assert (waiting, age >= timedelta(hours=1)) == (10, True), "what /metrics tells"
    sink.start()
    for _ in range(3):
        assert mail_portal.work() == 0
        clock.advance(timedelta(minutes=15))
    assert sorted(mail.envelope.recipients[0] for mail in sink.messages) == sorted(recipients)
    assert len({mail["Message-ID"] for mail in sink.messages}) == 10


def test_an_unresolvable_mail_server_name_pauses_the_worker(open_office: OpenOffice) -> None:
    mail_portal = open_office(MAIL_SERVER="mail.invalid")
    mail = mail_portal.queue()
    assert mail_portal.work() > 0
    assert mail_portal.row(mail).attempts == 0


def test_a_mail_whose_connection_was_lost_is_retried_with_the_same_message_id(
    mail_portal: MailPortal, sink: Sink, clock: MovableClock
) -> None:
    mail = mail_portal.queue(notice=Notice.RESET)
    for stage, byte in ((Stage.BODY, 1), (Stage.BODY, 500), (Stage.BODY, 2000), (Stage.DOT, 0)):
        sink.script, sink.close_at = {stage: Act.CLOSE}, byte
        assert mail_portal.work() == 0
        clock.advance(timedelta(minutes=3))
    assert mail_portal.row(mail).attempts == 4
    sink.script.clear()
    mail_portal.work()
    (doubtful,), (sent,) = sink.unanswered, sink.messages
    assert sent["Message-ID"] == doubtful["Message-ID"]
    texts = {str(mail.get_body(("plain",))) for mail in (sent, doubtful)}
    assert len(texts) == 1, "another token"
    assert "/password/reset/" in texts.pop()


def test_a_connection_lost_after_the_mail_was_accepted_sends_nothing_again(mail_portal: MailPortal, sink: Sink) -> None:
    sink.script[Stage.DOT] = Act.CLOSE_AFTER
    for _ in range(3):
        mail_portal.queue()
    mail_portal.work()
    assert mail_portal.states() == ["sent"] * 3
    assert len(sink.messages) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [("used_at", "the link was used"), ("ended_at", "the link was withdrawn"), ("expires_at", "the link has expired")],
)
def test_a_mail_with_an_ended_link_is_not_sent(mail_portal: MailPortal, sink: Sink, change: str, reason: str) -> None:
    mail = mail_portal.queue(notice=Notice.RESET)
    mail_portal.change_link(**{change: mail_portal.context.clock()})
    mail_portal.work()
    assert sink.connections == 0
    assert (mail_portal.row(mail).state, mail_portal.row(mail).reason) == ("expired", reason)


def test_a_mail_that_waited_past_the_lifetime_of_its_link_expires(
    mail_portal: MailPortal, sink: Sink, clock: MovableClock
) -> None:
    sink.stop()
    mail = mail_portal.queue(notice=Notice.RESET)
    assert mail_portal.work() > 0
    clock.advance(timedelta(minutes=30))
    sink.start()
    mail_portal.work()
    assert mail_portal.row(mail).state == "expired"
    assert sink.messages == []


@pytest.mark.parametrize(
    "poison",
    [
        {"notice": "no_such_mail"},
        {"recipient": None},
        {"recipient": "a" * 243 + "@example.com"},
        {"recipient": "ada@example.com\r\nRCPT TO:<eve@example.com>"},
        {"recipient": "ada@example.com\x0bBcc: eve@example.com"},
        {"notice": Notice.RESET},
        {"locale": "x-?/../" * 5},
    ],
)
def test_a_row_that_cannot_be_rendered_delays_no_other_mail(
    mail_portal: MailPortal, sink: Sink, poison: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "portal.mail")
    poisoned = mail_portal.queue_raw(**poison)
    mail_portal.queue("grace@example.com")
    assert mail_portal.work() == 0
    assert sink.messages[-1].envelope.recipients == ("grace@example.com",)
    row = mail_portal.row(poisoned)
    if "locale" in poison:
        assert row.state == "sent", "an unreadable language is English"
        return
    assert (row.state, row.attempts) == ("queued", 1)
    assert row.reason in ("ValueError", "Unmailable")
    assert len(sink.messages) == 1
    assert "example.com" not in caplog.text


def test_a_row_that_cannot_be_rendered_is_given_up_after_24_hours(mail_portal: MailPortal, clock: MovableClock) -> None:
    poisoned = mail_portal.queue_raw(notice="no_such_mail")
    for _ in range(24 * 60 // 9):
        mail_portal.work()
        clock.advance(timedelta(minutes=13))
    row = mail_portal.row(poisoned)
    assert (row.state, row.reason) == ("dead", "given up after 24 hours: ValueError")


@pytest.mark.parametrize("refusal", ["", "550 5.1.1 no such user"])
def test_the_row_of_an_email_to_an_erased_customer_is_deleted_once_it_is_sent_or_refused(
    mail_portal: MailPortal, sink: Sink, refusal: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sink.refused = {ADA: refusal} if refusal else {}
    mail_portal.queue(ADA, Notice.ERASED)
    mail_portal.work()
    assert len(sink.messages) == (0 if refusal else 1)
    assert mail_portal.states() == []
    assert ADA not in caplog.text


def test_an_email_to_an_erased_customer_is_retried_for_a_day_and_then_forgotten(
    mail_portal: MailPortal, sink: Sink, clock: MovableClock
) -> None:
    mail_portal.queue(ADA, Notice.ERASED)
    sink.script[Stage.DATA] = "451 later"
    mail_portal.work()
    assert mail_portal.states() == ["queued"]
    clock.advance(timedelta(hours=24))
    mail_portal.work()
    assert mail_portal.states() == []
