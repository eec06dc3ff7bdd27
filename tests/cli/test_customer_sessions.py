"""`portal customer sessions`, `end-sessions` and `events`."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from portal.domain import identities
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.identities import NewIdentity
from portal.storage.models import Event, Identity, OutboxMail
from tests.cli.conftest import Run, add_contact

NOW = datetime.now(UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
BROWSER = Visitor(organisation_id=1, ip="192.0.2.1", user_agent=FIREFOX)
SHOP = Visitor(organisation_id=1, ip="198.51.100.7", via_api=True)


def start(context: Context, contact_id: int, visitor: Visitor, age: timedelta, *, remember: bool = False) -> None:
    with context.database.write() as connection:
        identities.start(connection, context.rules, visitor, NewIdentity(contact_id, remember), NOW - age)


def test_sessions_are_listed_with_what_and_where_from(run: Run, context: Context) -> None:
    jana, petr = add_contact(context, "jana@example.com"), add_contact(context, "petr@example.com")
    start(context, jana, BROWSER, timedelta(minutes=5))
    start(context, jana, SHOP, timedelta(0), remember=True)
    start(context, jana, BROWSER, timedelta(hours=3))  # expired, unused
    start(context, petr, BROWSER, timedelta(0))
    _, first, second = run("customer", "sessions", "jana@example.com").out.splitlines()
    assert first.split()[-4:] == ["api", "yes", "-", "198.51.100.7"]
    assert second.split()[-5:] == ["browser", "no", "Firefox,", "Linux", "192.0.2.1"]


def test_all_sessions_end_and_it_is_recorded(run: Run, context: Context) -> None:
    jana, petr = add_contact(context, "jana@example.com"), add_contact(context, "petr@example.com")
    for contact_id in (jana, jana, petr):
        start(context, contact_id, BROWSER, timedelta(0))
    assert run("customer", "end-sessions", "jana@example.com").out == "Sessions ended: 2.\n"
    assert run("customer", "end-sessions", "jana@example.com").out == "Sessions ended: 0.\n"
    with context.database.read() as connection:
        alive = connection.execute(select(Identity.c.contact_id).where(Identity.c.ended_at.is_(None))).scalars().all()
        kinds = connection.execute(select(Event.c.kind).where(Event.c.contact_id == jana)).scalars().all()
        told = connection.execute(select(OutboxMail.c.notice, OutboxMail.c.recipient, OutboxMail.c.ip)).all()
    assert alive == [petr]
    assert kinds == ["sessions_end_all"]
    assert told == [("all_sessions_ended", "jana@example.com", None)]
    assert len(run("customer", "sessions", "jana@example.com").out.splitlines()) == 1


def test_events_are_listed_the_newest_first(run: Run, context: Context) -> None:
    jana = add_contact(context, "jana@example.com")
    with context.database.write() as connection:
        for minute in range(12):
            moment = datetime(2026, 3, 1, 12, minute, tzinfo=UTC)
            record(connection, BROWSER, EventKind.SIGN_IN, contact_id=jana, now=moment)
    _, *lines = run("customer", "events", "jana@example.com").out.splitlines()
    assert len(lines) == 12
    newest = ["2026-03-01", "12:11:00", "UTC", "sign_in", "-", "Firefox,", "Linux", "192.0.2.1"]
    assert lines[0].split() == newest


@pytest.mark.parametrize("command", ["sessions", "end-sessions", "events"])
def test_a_customer_of_another_organisation_is_unknown(run: Run, context: Context, command: str) -> None:
    add_contact(context, "jana@example.com")
    run("organisation", "add", "shop", "--name", "The Shop", "--hostname", "login.shop.example")
    outcome = run("customer", command, "jana@example.com", "--organisation", "shop")
    assert "jana@example.com" in outcome.complaint
