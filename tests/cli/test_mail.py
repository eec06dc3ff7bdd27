import re

import pytest
import time_machine
from sqlalchemy import select, update

from portal.domain import outbox
from portal.domain.context import Context, Visitor
from portal.domain.outbox import MailState, Notice
from portal.storage.models import OutboxMail
from tests.cli.conftest import Run, add_contact


def queue_mail(context: Context, *, state: MailState = MailState.QUEUED, reason: str | None = None) -> int:
    contact_id = add_contact(context, "jana@example.com")
    visitor = Visitor(organisation_id=1, ip=None)
    with context.database.write() as connection:
        outbox.queue(
            connection,
            visitor,
            Notice.PASSWORD_CHANGED,
            contact_id=contact_id,
            recipient="jana@example.com",
            clock=context.clock,
        )
        connection.execute(update(OutboxMail).values(state=state, reason=reason))
        return connection.execute(select(OutboxMail.id)).scalar_one()


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
def test_the_try_that_a_mail_was_sent_with_counts(run: Run, context: Context, state: MailState, tries: str) -> None:
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


def test_retry_makes_a_mail_due_that_was_set_aside(run: Run, context: Context) -> None:
    mail_id = queue_mail(context, state=MailState.DEAD)
    assert run("mail", "retry", str(mail_id)).status == 0
    assert "queued" in run("mail", "list").out


def test_retry_of_a_sent_mail_is_refused(run: Run, context: Context) -> None:
    mail_id = queue_mail(context, state=MailState.SENT)
    assert f"Email {mail_id}: not queued" in run("mail", "retry", str(mail_id)).complaint


def test_retry_of_an_unknown_mail_is_refused(run: Run, context: Context) -> None:
    assert "Email 4711: not queued" in run("mail", "retry", "4711").complaint
