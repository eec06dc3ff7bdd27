"""The invariants that hold after a portal was killed many times: nothing is lost, and nothing is done twice."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, or_, select, text

from portal.domain.operations.mail_queue import queued_mails
from portal.domain.outbox import MailState, Notice
from portal.domain.tokens import Purpose
from portal.storage import schema
from portal.storage.clock import SystemClock, utc_now
from portal.storage.database import Database
from portal.storage.models import Account, Contact, Event, Link, OutboxMail, Registration
from tests.cli.process import Served
from tests.faults.journal import Journal, Story
from tests.mail.sink import Sink
from tests.web.post import links_in
from tests.web.test_served import Visitor

CHECKS: dict[str, list[tuple[object, ...]]] = {"PRAGMA integrity_check": [("ok",)], "PRAGMA foreign_key_check": []}
"""On SQLite only: the extension that checks PostgreSQL's files (amcheck) is not in the wheel."""


def is_settled(database: Database) -> bool:
    """Return whether no email waits, except those that are to be sent later."""
    with database.read() as connection:
        return queued_mails(connection, SystemClock())[0] == 0


def breaches(
    journal: Journal,
    sink: Sink,
    served: Served,
    database: Database,
    logs: Sequence[Path],
    interrupted: Mapping[str, int],
) -> list[str]:
    """Return each violated invariant as a sentence; empty if nothing was lost.

    The portal must be serving, with no work left. `interrupted` is the number of kills during the delivery of each
    email, by its Message-ID.
    """
    found = list(journal.faults)
    with database.read() as connection:
        found += _of_rows(journal, connection)
        found += _of_wholes(connection)
        found += of_mails(sink.messages, connection, interrupted)
        found += _of_outbox(connection)
        found += _of_database(connection)
    found += _of_customers(journal, served)
    found += of_logs(journal, logs)
    return found


def _of_rows(journal: Journal, connection: Connection) -> list[str]:
    """1 and 6: every answered change is stored, and wrong passwords are counted."""
    registered = set(connection.scalars(select(Registration.c.email)))
    guesses = select(Contact.c.email, Contact.c.failed_passwords).join(Account, Account.c.contact_id == Contact.c.id)
    accounts: dict[str | None, int] = {row.email: row.failed_passwords for row in connection.execute(guesses)}
    return [
        *(
            f"a registration of {s.email} is lost"
            for s in journal.stories
            if s.registered and s.email not in registered
        ),
        *(f"the account of {s.email} is lost" for s in journal.stories if s.confirmed and s.email not in accounts),
        *(
            f"a wrong password of {s.email} is not counted"
            for s in journal.stories
            if s.mistyped > accounts.get(s.email, 0)
        ),
    ]


def _of_wholes(connection: Connection) -> list[str]:
    """1, 3 and 5: every request, answered or not, was done completely or not at all, and no link was used twice."""
    used_to_confirm = _count(connection, Link, Link.c.purpose == Purpose.VERIFY, Link.c.used_at.is_not(None))
    used_to_reset = _count(connection, Link, Link.c.purpose == Purpose.RESET, Link.c.used_at.is_not(None))
    notices = OutboxMail.c.notice == Notice.PASSWORD_CHANGED
    pairs = {
        "links and their mails": (_count(connection, Link), _count(connection, OutboxMail)),
        "confirmations and accounts": (used_to_confirm, _count(connection, Account)),
        "confirmations and their record": (used_to_confirm, _done(connection, "confirm")),
        "resets and their notices": (used_to_reset, _count(connection, OutboxMail, notices)),
        "resets and their record": (used_to_reset, _done(connection, "reset")),
    }
    return [f"{what} differ: {one}, {other}" for what, (one, other) in pairs.items() if one != other]


def of_mails(messages: Sequence[EmailMessage], connection: Connection, interrupted: Mapping[str, int]) -> list[str]:
    """2 and 3: every due email arrived, and no other; one arrived twice only if its delivery was killed."""
    copies: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for mail in messages:
        name = mail["Message-ID"].strip("<>").partition("@")[0]
        copies[name][mail["To"], "".join(links_in(mail))] += 1
    sent = set(connection.scalars(select(OutboxMail.c.message_id).where(OutboxMail.c.state == MailState.SENT)))
    known = set(connection.scalars(select(OutboxMail.c.message_id).where(OutboxMail.c.state != MailState.DECOY)))
    return [
        *(f"the copies of mail {name} differ" for name, kinds in copies.items() if len(kinds) > 1),
        *(f"mail {name} was sent for nothing" for name in copies if name not in known),
        *(f"mail {name} counts as sent, yet never came" for name in sent if name not in copies),
        *(
            f"mail {name} came {kinds.total()} times, and {interrupted.get(name, 0)} kills can be why"
            for name, kinds in copies.items()
            if kinds.total() > 1 + interrupted.get(name, 0)
        ),
    ]


def _of_outbox(connection: Connection) -> list[str]:
    """4: no email is stuck, and every unsent one has a reason."""
    mail = OutboxMail.c
    is_for_later = (mail.notice == Notice.NEW_SIGN_IN) & (mail.due_at > utc_now()) & mail.claim.is_(None)
    wrong = {
        "is still queued": mail.state == MailState.QUEUED,
        "was given up": mail.state == MailState.DEAD,
        "is still claimed": or_(mail.claim.is_not(None), mail.lease_until.is_not(None)),
        "expired without a reason": (mail.state == MailState.EXPIRED) & mail.reason.is_(None),
        "finished without a time": (mail.state != MailState.DECOY) & mail.finished_at.is_(None),
    }
    return [
        f"mail {name} {what}"
        for what, condition in wrong.items()
        for name in connection.scalars(select(mail.message_id).where(condition, ~is_for_later))
    ]


def _of_database(connection: Connection) -> list[str]:
    """7: the database is intact and has a known schema."""
    due = CHECKS if connection.dialect.name == "sqlite" else {}
    due = {**due, "SELECT version_num FROM alembic_version": [(schema.head(),)]}
    answers = {question: [tuple(row) for row in connection.execute(text(question))] for question in due}
    return [f"{question}: {answers[question]}" for question in due if answers[question] != due[question]]


def _of_customers(journal: Journal, served: Served) -> list[str]:
    """1, 5 and 8: only the last password opens the account, no link works twice, and no ended identity is valid."""
    found = []
    if Visitor(served).ask("GET", "/readyz")[0] != 200:
        found.append("the portal does not say that it is ready")
    for story in journal.stories:
        found += _of_passwords(story, served)
        found += [
            f"a used link of {story.email} is open"
            for link in story.used_links
            if Visitor(served).ask("GET", link)[0] != 410
        ]
        found += [
            f"an identity of {story.email} outlived its end"
            for browser in story.ended
            if browser.ask("GET", "/account")[0] != 302
        ]
    return found


def _of_passwords(story: Story, served: Served) -> list[str]:
    if not story.passwords:
        return []
    *former, current = story.passwords
    found = []
    if Visitor(served).fill("/login", email=story.email, password=current)[0] != 302:
        found.append(f"{story.email} cannot sign in")
    if former and Visitor(served).fill("/login", email=story.email, password=former[-1])[0] != 422:
        found.append(f"a former password of {story.email} still works")
    return found


def of_logs(journal: Journal, logs: Sequence[Path]) -> list[str]:
    """8 and 9: no secret is in the log, and no error is unexpected.

    A line that is not JSON was not written by the portal's log.
    """
    found = []
    for log in logs:
        words = log.read_text()
        found += [f"a secret stands in {log.name}" for secret in journal.secrets if secret in words]
        for line in filter(None, words.splitlines()):
            try:
                entry = json.loads(line)
            except ValueError:
                found.append(f"{log.name} has a line that is no JSON: {line[:100]}")
                continue
            if "traceback" in entry:
                found.append(f"a traceback: {entry['traceback'].splitlines()[-1]}")
    return found


def _count(connection: Connection, table: Table[Any], *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()


def _done(connection: Connection, kind: str) -> int:
    return _count(connection, Event, Event.c.kind == kind, Event.c.refusal.is_(None))
