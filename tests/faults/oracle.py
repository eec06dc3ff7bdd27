"""What "nothing lost" means (shared/faults.md, section 2), asked of a portal after it was killed many times."""

import json
import sqlite3
from collections import defaultdict
from pathlib import Path

from portal import schema
from tests.cli.process import Served
from tests.faults.journal import Journal
from tests.mail.sink import Sink
from tests.web.post import link_in
from tests.web.test_served import Visitor

WAITING = "SELECT count(*) FROM outbox WHERE state = 'queued'"


def breaches(journal: Journal, sink: Sink, served: Served, database: Path, logs: list[Path]) -> list[str]:
    """Each promise that was not kept, in a sentence; empty when nothing was lost. The portal serves, and is settled."""
    found = list(journal.faults)
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        found += _of_rows(journal, connection)
        found += _of_mails(sink, connection)
        found += _of_database(connection)
    finally:
        connection.close()
    found += _of_customers(journal, served)
    found += _of_logs(journal, logs)
    return found


def _of_rows(journal: Journal, connection: sqlite3.Connection) -> list[str]:
    """1: what was answered is there."""
    registered = {email for (email,) in connection.execute("SELECT email FROM registration")}
    accounts = {
        email
        for (email,) in connection.execute("SELECT email FROM contact JOIN account ON account.contact_id = contact.id")
    }
    return [
        *(
            f"a registration of {s.email} is lost"
            for s in journal.stories
            if s.registered and s.email not in registered
        ),
        *(f"the account of {s.email} is lost" for s in journal.stories if s.confirmed and s.email not in accounts),
    ]


def _of_mails(sink: Sink, connection: sqlite3.Connection) -> list[str]:
    """2, 3 and 4: each mail that was due came, none that was not, and none is stuck."""
    found = []
    copies: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for mail in sink.messages:
        name = mail["Message-ID"].strip("<>").partition("@")[0]
        link = link_in(mail) if "changed" not in mail["Subject"].lower() else ""
        copies[name].add((mail["To"], link))
    found += [f"the copies of mail {name} differ" for name, kinds in copies.items() if len(kinds) > 1]
    rows = dict(connection.execute("SELECT message_id, state FROM outbox WHERE state <> 'void'").fetchall())
    found += [f"mail {name} was sent for nothing" for name in copies if name not in rows]
    for name, state in rows.items():
        if state == "sent" and name not in copies:
            found.append(f"mail {name} counts as sent, yet never came")
        if state in ("queued", "dead"):
            found.append(f"mail {name} is {state}")
    return found


def _of_database(connection: sqlite3.Connection) -> list[str]:
    """7: it is whole, and of a known schema."""
    checks = {
        "PRAGMA integrity_check": [("ok",)],
        "PRAGMA foreign_key_check": [],
        "SELECT version_num FROM alembic_version": [(schema.head(),)],
    }
    answers = {question: connection.execute(question).fetchall() for question in checks}
    return [f"{question}: {answers[question]}" for question, due in checks.items() if answers[question] != due]


def _of_customers(journal: Journal, served: Served) -> list[str]:
    """1, 5: the last password opens the account and no other, and no link works twice."""
    found = []
    for story in journal.stories:
        if story.passwords:
            *former, current = story.passwords
            if Visitor(served).fill("/login", email=story.email, password=current)[0] != 302:
                found.append(f"{story.email} cannot sign in")
            if former and Visitor(served).fill("/login", email=story.email, password=former[-1])[0] != 422:
                found.append(f"a former password of {story.email} still works")
        found += [
            f"a used link of {story.email} is open"
            for link in story.used_links
            if Visitor(served).ask("GET", link)[0] != 410
        ]
    return found


def _of_logs(journal: Journal, logs: list[Path]) -> list[str]:
    """8 and 9: no secret was written down, and nothing broke in a way that nobody foresaw."""
    found = []
    for log in logs:
        text = log.read_text()
        found += [f"a secret stands in {log.name}" for secret in journal.secrets if secret in text]
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        found += [f"a traceback: {line['traceback'].splitlines()[-1]}" for line in lines if "traceback" in line]
    return found
