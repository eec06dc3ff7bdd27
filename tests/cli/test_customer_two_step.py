"""`portal customer reset-two-step`."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select

from portal.domain.context import Context
from portal.domain.outbox import Notice
from portal.storage.models import Device, Event, OutboxMail, Passkey, RecoveryCode, SecondStep
from tests.cli.conftest import Run, add_contact

EMAIL, REASON = "jana@example.com", "Lost her phone, showed an ID"
NOW = datetime.now(UTC)


@pytest.fixture
def jana(context: Context) -> int:
    """A customer with a second step, and a browser that is trusted without it."""
    contact_id = add_contact(context, EMAIL)
    step = {"secret": "sealed", "key_id": "key", "last_time_step": 1, "failed_codes": 0, "created_at": NOW}
    device = {"digest": b"d" * 32, "failed_passwords": 0, "created_at": NOW, "seen_at": NOW, "trusted_until": NOW}
    with context.database.write() as connection:
        connection.execute(insert(SecondStep).values(contact_id=contact_id, **step))
        connection.execute(insert(RecoveryCode).values(contact_id=contact_id, digest=b"r" * 32, created_at=NOW))
        connection.execute(insert(Device).values(contact_id=contact_id, **device))
    return contact_id


def test_it_ends_the_second_step_records_the_reason_and_tells_the_customer(
    run: Run, context: Context, jana: int
) -> None:
    outcome = run("customer", "reset-two-step", EMAIL, "--reason", REASON)
    assert outcome.out == f"{EMAIL} signs in without a second step now.\n"
    with context.database.read() as connection:
        assert connection.execute(select(SecondStep.c.contact_id)).all() == []
        assert connection.execute(select(RecoveryCode.c.id)).all() == []
        assert connection.execute(select(Device.c.trusted_until)).all() == [(None,)]
        events = connection.execute(select(Event.c.kind, Event.c.reason).where(Event.c.contact_id == jana)).all()
        mails = connection.execute(select(OutboxMail.c.notice, OutboxMail.c.recipient, OutboxMail.c.details)).all()
    assert events == [("two_step_reset", REASON)]
    assert mails == [(Notice.TWO_STEP_RESET, EMAIL, {"reason": REASON})]
    assert f"two_step_reset: {REASON}" in run("customer", "events", EMAIL).out


def test_it_is_shown_whether_there_is_one(run: Run, jana: int) -> None:
    assert jana
    shown = run("customer", "show", EMAIL).out
    assert [line.split()[-1] for line in shown.splitlines() if line.startswith("Recovery codes left")] == ["1"]
    run("customer", "reset-two-step", EMAIL, "--reason", REASON)
    assert "Recovery codes" not in run("customer", "show", EMAIL).out


def test_the_number_of_passkeys_is_shown(run: Run, context: Context) -> None:
    contact_id = add_contact(context, EMAIL)
    assert "Passkeys" not in run("customer", "show", EMAIL).out
    passkey = {"user_handle": b"h" * 32, "public_key": b"k", "sign_count": 0, "aaguid": "a", "transports": []}
    flags = {"can_sync": True, "is_synced": True, "created_at": NOW}
    with context.database.write() as connection:
        for credential_id in (b"1", b"2"):
            row = {"contact_id": contact_id, "credential_id": credential_id, **passkey, **flags}
            connection.execute(insert(Passkey).values(row))
    shown = run("customer", "show", EMAIL).out
    assert [line.split() for line in shown.splitlines() if line.startswith("Passkeys")] == [["Passkeys", "2"]]


def test_a_customer_without_a_second_step_gets_no_email(run: Run, context: Context) -> None:
    add_contact(context, EMAIL)
    outcome = run("customer", "reset-two-step", EMAIL, "--reason", REASON)
    assert outcome.out == f"{EMAIL} has no two-step verification.\n"
    with context.database.read() as connection:
        assert connection.execute(select(OutboxMail.c.id)).all() == []


def test_a_reason_is_needed(run: Run, jana: int) -> None:
    assert jana
    for arguments in ([], ["--reason", ""]):
        outcome = run("customer", "reset-two-step", EMAIL, *arguments)
        assert outcome.status != 0
        assert "--reason" in outcome.err


def test_an_unknown_customer_is_one_line(run: Run) -> None:
    outcome = run("customer", "reset-two-step", "nobody@example.com", "--reason", REASON)
    assert (outcome.status != 0, len(outcome.err.splitlines())) == (True, 1)
