"""The worker against a mail server that fails: what is tried again, what is set aside, what burns no try."""

import logging
from datetime import timedelta

import pytest

from portal.domain.operations.mail_queue import queued_mails
from portal.domain.outbox import Notice
from portal.mail.worker import MailWorker
from tests.conftest import MovableClock
from tests.mail.conftest import OpenOffice
from tests.mail.office import ADA, Office
from tests.mail.sink import Act, Sink, Stage

TRY_AGAIN = timedelta(seconds=15)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT])
def test_a_4xx_to_a_mail_is_tried_again_within_15_seconds(
    office: Office, sink: Sink, clock: MovableClock, stage: Stage
) -> None:
    mail = office.queue()
    sink.script[stage] = f"451 4.3.0 {ADA} come\x07 back"
    assert office.work() == 0
    row = office.row(mail)
    assert (row.state, row.attempts, row.claim) == ("queued", 1, None)
    assert row.reason == "451 4.3.0 <address> come back"
    sink.script.clear()
    office.work()
    assert sink.messages == [], "it is tried again at once"
    clock.advance(TRY_AGAIN)
    office.work()
    assert len(sink.messages) == 1


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.EHLO, Stage.STARTTLS, Stage.AUTH])
@pytest.mark.parametrize("code", ["421 later", "554 5.7.1 never"])
def test_a_refusal_before_any_mail_pauses_and_burns_no_try(
    open_office: OpenOffice, stage: Stage, code: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Sink(starttls=True, auth=True) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", sink.certificate)
        office = open_office(sink, MAIL_USE_TLS="true", MAIL_USERNAME="portal", MAIL_PASSWORD="canary")
        mails = [office.queue(), office.queue()]
        sink.script[stage] = code
        caplog.set_level(logging.INFO, "portal.mail")
        assert 4 <= office.work() <= 5
        for mail in mails:
            row = office.row(mail)
            assert (row.state, row.attempts, row.claim, row.reason) == ("queued", 0, None, None)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert code in caplog.text
        sink.script.clear()
        assert office.work() == 0
        assert len(sink.messages) == 2
        assert "canary" not in caplog.text


def test_a_pause_grows_to_30_seconds_and_begins_anew_after_a_success(office: Office, sink: Sink) -> None:
    office.queue()
    sink.script[Stage.CONNECT] = "421 later"
    pauses = [office.work() for _ in range(6)]
    assert pauses == sorted(pauses[:4]) + pauses[4:]
    assert max(pauses) <= 30
    assert min(pauses[3:]) >= 24
    sink.script.clear()
    assert office.work() == 0
    office.queue()
    sink.script[Stage.CONNECT] = "421 later"
    assert office.work() <= 5


def test_mails_wait_while_no_server_listens_and_all_go_out_after(office: Office, sink: Sink) -> None:
    sink.stop()
    mails = [office.queue(f"customer{number}@example.com") for number in range(3)]
    assert office.work() > 0
    assert [office.row(mail).attempts for mail in mails] == [0, 0, 0]
    sink.start()
    assert office.work() == 0
    assert len(sink.messages) == 3


def test_an_hour_without_a_mail_server_costs_nobody_anything(office: Office, sink: Sink, clock: MovableClock) -> None:
    sink.stop()
    recipients = [f"customer{number}@example.com" for number in range(10)]
    mails = [office.queue(recipient, Notice.PASSWORD_CHANGED) for recipient in recipients]
    end = clock() + timedelta(hours=1)
    pauses = set()
    while clock() < end:
        pause = office.work()
        pauses.add(pause)
        clock.advance(timedelta(seconds=max(pause, 1)))
    assert len(pauses) > 100, "workers that failed together return together"
    assert {(office.row(mail).state, office.row(mail).attempts) for mail in mails} == {("queued", 0)}
    with office.context.database.read() as connection:
        waiting, age = queued_mails(connection, clock)
    assert (waiting, age >= timedelta(hours=1)) == (10, True), "what /metrics tells"
    sink.start()
    for _ in range(3):
        assert office.work() == 0
        clock.advance(timedelta(minutes=15))
    assert sorted(mail.envelope.recipients[0] for mail in sink.messages) == sorted(recipients)
    assert len({mail["Message-ID"] for mail in sink.messages}) == 10


def test_a_server_name_that_leads_nowhere_pauses(open_office: OpenOffice) -> None:
    office = open_office(MAIL_SERVER="mail.invalid")
    mail = office.queue()
    assert office.work() > 0
    assert office.row(mail).attempts == 0


@pytest.mark.parametrize("code", ["550 5.1.1 <ada@example.com>: nobody here", "552 5.3.4 too large"])
@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.DOT])
def test_a_refused_recipient_is_set_aside_with_the_reason_and_holds_nobody_up(
    office: Office, sink: Sink, stage: Stage, code: str
) -> None:
    refused = office.queue()
    sink.script[stage] = code
    assert office.work() == 0
    row = office.row(refused)
    assert (row.state, row.attempts, row.finished_at) == ("dead", 1, office.context.clock())
    assert row.reason == code.replace("<ada@example.com>:", "<address>")
    sink.script.clear()
    office.queue("grace@example.com")
    office.work()
    assert [received.envelope.recipients for received in sink.messages] == [("grace@example.com",)]


def test_one_bad_recipient_among_others_is_the_only_one_set_aside(office: Office, sink: Sink) -> None:
    sink.refused["bad@example.com"] = "550 5.1.1 no such user"
    for recipient in (ADA, "bad@example.com", "grace@example.com"):
        office.queue(recipient)
    office.work()
    assert office.states() == ["sent", "dead", "sent"]


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.DOT])
@pytest.mark.parametrize("code", ["554 5.7.1 you are on a list", "550 5.7.26 not you", "554 go away"])
def test_a_server_that_refuses_whatever_we_send_costs_no_mail_its_life(
    office: Office, sink: Sink, clock: MovableClock, stage: Stage, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    office.queue("first@example.com")
    office.work()
    mails = [office.queue(f"customer{number}@example.com") for number in range(4)]
    sink.script[stage] = code
    for _ in range(8):
        office.work()
        clock.advance(timedelta(minutes=15))
    assert office.work() >= 24, "nothing pauses"
    assert {office.row(mail).state for mail in mails} == {"queued"}
    assert f"the mail server refuses us ({code})" in caplog.text
    sink.script.clear()
    clock.advance(timedelta(minutes=15))
    assert office.work() == 0
    assert office.states() == ["sent"] * 5
    assert len(sink.messages) == 5


@pytest.mark.parametrize("change", ["another worker", "a worker that began anew"])
def test_a_server_that_refuses_whatever_we_send_costs_no_mail_its_life_whichever_worker_tries_it(
    open_office: OpenOffice, office: Office, sink: Sink, clock: MovableClock, change: str
) -> None:
    other = open_office(sink)
    mails = [office.queue(f"customer{number}@example.com") for number in range(2)]
    sink.script[Stage.RCPT] = "554 5.7.1 you are on a list"
    for _ in range(4):
        office.work()
        clock.advance(timedelta(minutes=15))
        if change == "another worker":
            other.work()
            clock.advance(timedelta(minutes=15))
        else:
            office.worker = MailWorker(office.app)
    assert {office.row(mail).state for mail in mails} == {"queued"}
    assert min(office.row(mail).attempts for mail in mails) > 2
    sink.script.clear()
    office.work()
    assert office.states() == ["sent"] * 2


def test_a_server_that_takes_nothing_any_more_costs_no_mail_its_life_that_was_put_off_for_something_else(
    office: Office, sink: Sink, clock: MovableClock
) -> None:
    office.queue()
    sink.script[Stage.RCPT] = "451 4.3.0 come back"
    office.work()
    sink.script.clear()
    office.queue("grace@example.com")
    office.work()
    sink.script[Stage.RCPT] = "554 5.7.1 you are on a list"
    clock.advance(TRY_AGAIN)
    office.work()
    assert office.states() == ["queued", "sent"]


def test_a_policy_against_one_recipient_sets_aside_that_mail_alone(
    office: Office, sink: Sink, clock: MovableClock
) -> None:
    sink.refused["bad@example.com"] = "550 5.7.1 not from you"
    for recipient in (ADA, "bad@example.com", "grace@example.com"):
        office.queue(recipient)
    assert office.work() == 0
    assert office.states() == ["sent", "queued", "sent"]
    office.queue()
    clock.advance(TRY_AGAIN)
    assert office.work() == 0
    assert office.states() == ["sent", "dead", "sent", "sent"]
    assert office.row(2).reason == "550 5.7.1 not from you"


def test_a_refusal_of_our_sender_pauses_and_burns_no_try(office: Office, sink: Sink) -> None:
    mail = office.queue()
    sink.script[Stage.MAIL] = "550 5.7.1 you may not send as that"
    assert office.work() > 0
    assert (office.row(mail).state, office.row(mail).attempts) == ("queued", 0)


def test_a_mail_that_is_too_large_at_mail_from_is_its_own_fault(office: Office, sink: Sink) -> None:
    mail = office.queue()
    sink.script[Stage.MAIL] = "552 5.3.4 too large"
    assert office.work() == 0
    assert office.row(mail).state == "dead"


def test_a_connection_lost_in_the_mail_is_tried_again_under_the_same_message_id(
    office: Office, sink: Sink, clock: MovableClock
) -> None:
    mail = office.queue(notice=Notice.RESET)
    for stage, byte in ((Stage.BODY, 1), (Stage.BODY, 500), (Stage.BODY, 2000), (Stage.DOT, 0)):
        sink.script, sink.close_at = {stage: Act.CLOSE}, byte
        assert office.work() == 0
        clock.advance(timedelta(minutes=3))
    assert office.row(mail).attempts == 4
    sink.script.clear()
    office.work()
    (doubtful,), (sent,) = sink.unanswered, sink.messages
    assert sent["Message-ID"] == doubtful["Message-ID"]
    texts = {str(mail.get_body(("plain",))) for mail in (sent, doubtful)}
    assert len(texts) == 1, "another token"
    assert "/password/reset/" in texts.pop()


def test_a_connection_lost_after_the_mail_was_taken_sends_nothing_again(office: Office, sink: Sink) -> None:
    sink.script[Stage.DOT] = Act.CLOSE_AFTER
    for _ in range(3):
        office.queue()
    office.work()
    assert office.states() == ["sent"] * 3
    assert len(sink.messages) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [("used_at", "the link was used"), ("ended_at", "the link was withdrawn"), ("expires_at", "the link has expired")],
)
def test_a_mail_whose_link_opens_nothing_is_not_sent(office: Office, sink: Sink, change: str, reason: str) -> None:
    mail = office.queue(notice=Notice.RESET)
    office.change_link(**{change: office.context.clock()})
    office.work()
    assert sink.connections == 0
    assert (office.row(mail).state, office.row(mail).reason) == ("expired", reason)


def test_a_mail_that_waited_longer_than_its_link_lives_expires(office: Office, sink: Sink, clock: MovableClock) -> None:
    sink.stop()
    mail = office.queue(notice=Notice.RESET)
    assert office.work() > 0
    clock.advance(timedelta(minutes=30))
    sink.start()
    office.work()
    assert office.row(mail).state == "expired"
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
def test_a_row_that_cannot_become_a_mail_holds_nobody_up(
    office: Office, sink: Sink, poison: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "portal.mail")
    poisoned = office.queue_raw(**poison)
    office.queue("grace@example.com")
    assert office.work() == 0
    assert sink.messages[-1].envelope.recipients == ("grace@example.com",)
    row = office.row(poisoned)
    if "locale" in poison:
        assert row.state == "sent", "an unreadable language is English"
        return
    assert (row.state, row.attempts) == ("queued", 1)
    assert row.reason in ("ValueError", "Unmailable")
    assert len(sink.messages) == 1
    assert "example.com" not in caplog.text


def test_a_row_that_never_works_is_given_up_after_24_hours(office: Office, clock: MovableClock) -> None:
    poisoned = office.queue_raw(notice="no_such_mail")
    for _ in range(24 * 60 // 9):
        office.work()
        clock.advance(timedelta(minutes=13))
    row = office.row(poisoned)
    assert (row.state, row.reason) == ("dead", "given up after 24 hours: ValueError")
