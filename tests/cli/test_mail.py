import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import select, update

from portal.domain import outbox
from portal.domain.context import Context, Visitor
from portal.domain.outbox import MailState, NewMail, Notice
from portal.storage.models import OutboxMail
from tests.cli.conftest import Run, add_contact
from tests.mail.sink import Sink, Stage


def queue_mail(context: Context, *, state: MailState = MailState.QUEUED, reason: str | None = None) -> int:
    contact_id = add_contact(context, "jana@example.com")
    visitor = Visitor(organisation_id=1, ip=None)
    with context.database.write() as connection:
        mail = NewMail(Notice.PASSWORD_CHANGED, contact_id, "jana@example.com")
        outbox.queue(connection, visitor, mail, context.clock)
        connection.execute(update(OutboxMail).values(state=state, reason=reason))
        return connection.execute(select(OutboxMail.c.id)).scalar_one()


def test_list_shows_what_is_due(run: Run, context: Context) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        mail_id = queue_mail(context)
    _, line = run("mail", "list").out.splitlines()
    assert re.split(r"\s{2,}", line) == [
        str(mail_id),
        "queued",
        "password_changed",
        "jana@example.com",
        "0",
        "2026-03-01 12:00:00 UTC",
        "2026-03-01 12:00:00 UTC",
        "-",
    ]


@pytest.mark.parametrize(("state", "tries"), [(MailState.QUEUED, "2"), (MailState.SENT, "3"), (MailState.DEAD, "2")])
def test_the_successful_attempt_of_a_mail_is_counted(run: Run, context: Context, state: MailState, tries: str) -> None:
    queue_mail(context, state=state)
    with context.database.write() as connection:
        connection.execute(update(OutboxMail).values(attempts=2))
    _, line = run("mail", "list").out.splitlines()
    assert re.split(r"\s{2,}", line)[4] == tries


def test_list_can_be_narrowed_to_one_organisation(run: Run, context: Context) -> None:
    queue_mail(context)
    assert len(run("mail", "list", "--organisation", "default").out.splitlines()) == 2
    assert "'elsewhere'" in run("mail", "list", "--organisation", "elsewhere").complaint


def test_the_words_of_a_mail_server_are_shown_without_control_characters(run: Run, context: Context) -> None:
    queue_mail(context, state=MailState.DEAD, reason="550 no\x1b[31m such\nuser")
    out = run("mail", "list").out
    assert "550 no" in out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2


def test_retry_makes_a_given_up_mail_due(run: Run, context: Context) -> None:
    mail_id = queue_mail(context, state=MailState.DEAD)
    assert run("mail", "retry", str(mail_id)).status == 0
    assert "queued" in run("mail", "list").out


def test_retry_of_a_sent_mail_is_refused(run: Run, context: Context) -> None:
    mail_id = queue_mail(context, state=MailState.SENT)
    assert f"Email {mail_id}: not queued" in run("mail", "retry", str(mail_id)).complaint


def test_retry_of_an_unknown_mail_is_refused(run: Run, context: Context) -> None:
    assert "Email 4711: not queued" in run("mail", "retry", "4711").complaint


@pytest.mark.parametrize("name", Notice)
def test_any_mail_can_be_previewed_in_any_language(run: Run, context: Context, tmp_path: Path, name: Notice) -> None:
    path = tmp_path / "sample.eml"
    for locale in ("en", "cs"):
        shown = run("mail", "preview", str(name), "--locale", locale, "--output", str(path))
        assert (shown.status, shown.out) == (0, f"{name} is in {path}.\n")
        mail = message_from_bytes(path.read_bytes(), policy=default)
        assert (mail["To"], mail["Content-Language"]) == ("customer@example.com", locale)
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    with context.database.read() as connection:
        assert connection.execute(select(OutboxMail.c.id)).all() == []


def test_a_preview_is_the_organisations_and_goes_to_stdout(run: Run, context: Context) -> None:
    run("organisation", "add", "sklo", "--name", "Sklo", "--hostname", "sklo.localhost", "--locale", "cs")
    shown = run("mail", "preview", "verify", "--organisation", "sklo")
    assert "From: Sklo <portal@localhost>" in shown.out
    assert "Content-Language: cs" in shown.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("preview", "nothing"), "Error: Invalid value for"),
        (("preview", "verify", "--locale", "xx"), "Error: Invalid value for --locale: there is no 'xx', only en, cs"),
        (("preview", "verify", "--organisation", "gone"), "Error: There is no organisation 'gone'."),
        (
            ("preview", "verify", "--output", "/nowhere/at/all.eml"),
            "Error: /nowhere/at/all.eml: No such file or directory",
        ),
        (("test", "ada"), "Error: Invalid value for 'ADDRESS': "),
        (("test", "ada@example.com", "--locale", "xx"), "Error: Invalid value for --locale: there is no 'xx'"),
    ],
)
def test_what_cannot_be_previewed_or_tested_is_one_line(
    run: Run, context: Context, arguments: tuple[str, ...], complaint: str
) -> None:
    assert run("mail", *arguments).complaint.startswith(complaint)


def test_a_test_mail_goes_out_at_once_past_the_outbox(
    run: Run, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink() as sink:
        monkeypatch.setenv("PORTAL_MAIL_SERVER", sink.host)
        monkeypatch.setenv("PORTAL_MAIL_PORT", str(sink.port))
        monkeypatch.setenv("PORTAL_MAIL_DEFAULT_SENDER", "portal@example.com")
        sent = run("mail", "test", "ada@example.com")
        assert (sent.status, sent.out) == (0, "The mail server took the email over. Check whether it arrives.\n")
        (mail,) = sink.messages
        assert (mail["To"], mail["Subject"]) == ("ada@example.com", "Test email from Customer portal")
        assert mail.envelope.sender == "portal@example.com"
        sink.script[Stage.RCPT] = "550 5.1.1 no such user"
        refused = run("mail", "test", "ada@example.com")
        assert (refused.status, refused.complaint) == (1, "Error: The email was not sent: 550 5.1.1 no such user")
    away = run("mail", "test", "ada@example.com")
    assert (away.status, away.complaint) == (1, "Error: The email was not sent: [Errno 111] Connection refused")
    assert run("mail", "list").out.count("\n") == 1


def test_without_a_mail_server_a_test_mail_is_in_the_local_mailbox(run: Run, context: Context, instance: Path) -> None:
    sent = run("mail", "test", "ada@example.com")
    assert (sent.status, sent.out) == (0, "MAIL_SERVER is not set: the email is in the local mailbox.\n")
    assert len(list((instance / "mailbox" / "new").iterdir())) == 1
