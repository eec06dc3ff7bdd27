"""`portal customer ban` and `unban`."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal.domain import identities, one_time_links
from portal.domain.context import Context, Visitor
from portal.domain.identities import NewIdentity
from portal.domain.one_time_links import NewLink
from portal.domain.tokens import Purpose
from portal.domain.use_cases.register import RegistrationRequest, register
from portal.domain.values.email import parse_email
from portal.storage.models import Contact, Event, Identity, Link, Registration
from tests.cli.conftest import Run, add_contact

NOW = datetime.now(UTC)


def test_a_ban_ends_sessions_links_and_registrations(run: Run, context: Context) -> None:
    application = RegistrationRequest(parse_email("jana@example.com"), "seven green bottles hang")
    register(context, Visitor(organisation_id=1, ip="192.0.2.1"), application)
    with context.database.write() as connection:
        contact_id = connection.execute(select(Contact.c.id)).scalar_one()
        visitor = Visitor(organisation_id=1, ip=None)
        identities.start(connection, context.rules, visitor, NewIdentity(contact_id, remember=True), NOW)
        link = NewLink(Purpose.RESET, contact_id, "jana@example.com", expires_at=NOW + timedelta(hours=1))
        one_time_links.issue(connection, link, NOW)

    assert run("customer", "ban", "jana@example.com", "--reason", "fraud").status == 0

    with context.database.read() as connection:
        for table in (Identity, Link):
            ends = connection.execute(select(table.c.ended_at)).scalars().all()
            assert ends
            assert None not in ends
        # A visitor who registered must not notice the ban; nothing confirms a decoy.
        assert connection.execute(select(Registration.c.is_decoy)).scalars().all() == [True]
        assert connection.execute(select(Event.c.kind).order_by(Event.c.id.desc()).limit(1)).scalar_one() == "ban"
    out = run("customer", "show", "jana@example.com").out
    assert "banned" in out
    assert "fraud" in out


def test_a_second_ban_keeps_the_first_date_and_takes_the_new_reason(run: Run, context: Context) -> None:
    add_contact(context, "jana@example.com")
    run("customer", "ban", "jana@example.com", "--reason", "first")
    with context.database.read() as connection:
        before = connection.execute(select(Contact.c.banned_at)).scalar_one()
    run("customer", "ban", "jana@example.com", "--reason", "second")
    with context.database.read() as connection:
        assert connection.execute(select(Contact.c.banned_at, Contact.c.ban_reason)).one() == (before, "second")


def test_a_ban_may_end_by_itself(run: Run, context: Context) -> None:
    add_contact(context, "jana@example.com", account=True)
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        outcome = run("customer", "ban", "jana@example.com", "--reason", "fraud", "--until", "30d")
        assert outcome.out == "jana@example.com is banned until 2026-03-31 12:00:00 UTC.\n"
        assert (
            "State             banned until 2026-03-31 12:00:00 UTC" in run("customer", "show", "jana@example.com").out
        )
        assert "banned until 2026-03-31 12:00:00 UTC" in run("customer", "list").out
    with time_machine.travel("2026-03-31T12:00:00Z", tick=False):
        for command in (("show", "jana@example.com"), ("list",)):
            out = run("customer", *command).out
            assert "registered" in out
            assert "banned" not in out


@pytest.mark.parametrize("duration", ["tomorrow", "0d", "-3d", "200000d", ""])
def test_a_ban_until_no_time_is_refused(run: Run, context: Context, duration: str) -> None:
    add_contact(context, "jana@example.com")
    complaint = run("customer", "ban", "jana@example.com", "--reason", "fraud", "--until", duration).complaint
    assert "--until" in complaint
    assert "banned" not in run("customer", "list").out


def test_unban_restores_the_account_and_is_recorded(run: Run, context: Context) -> None:
    add_contact(context, "jana@example.com", account=True)
    run("customer", "ban", "jana@example.com", "--reason", "fraud")
    assert "no longer banned" in run("customer", "unban", "jana@example.com").out
    out = run("customer", "show", "jana@example.com").out
    assert "State             registered" in out
    assert "unban" in out


def test_unban_of_a_customer_who_is_not_banned_changes_nothing(run: Run, context: Context) -> None:
    add_contact(context, "jana@example.com")
    outcome = run("customer", "unban", "jana@example.com")
    assert outcome.status == 0
    assert "is not banned" in outcome.out
    with context.database.read() as connection:
        assert connection.execute(select(Event.c.kind)).first() is None
