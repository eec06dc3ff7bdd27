"""Serialised writes: by the single writer of SQLite, and by locks on PostgreSQL."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import delete, event, select, text

from portal.domain import accounts, contacts, sign_outs
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Visitor
from portal.domain.outbox import Notice
from portal.storage.models import Contact, Event
from tests.domain.instrumentation import wait_until
from tests.domain.scene import ADA, SECOND_PASSWORD, Scene

pytestmark = pytest.mark.differs_on_postgresql


def until_another_transaction_waits(scene: Scene) -> None:
    """On PostgreSQL, return when another transaction waits for a lock; on SQLite every other writer waits."""
    if scene.context.database.engine.dialect.name == "postgresql":
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        wait_until(lambda: scene.rows(waiting)[0][0] > 0)


def test_a_transaction_that_waited_for_a_contact_sees_its_changed_password(scene: Scene) -> None:
    scene.join()
    [contact_id] = scene.rows(select(Contact.c.id))[0]
    seen: list[ContactCredentials | None] = []

    def lock() -> None:
        with scene.context.database.write() as connection:
            seen.append(contacts.lock(connection, contact_id))

    thread = Thread(target=lock)
    with scene.context.database.write() as connection:
        contact = contacts.lock(connection, contact_id)
        assert contact is not None
        accounts.set_password(connection, contact, "changed", scene.context.clock())
        thread.start()
        until_another_transaction_waits(scene)
    thread.join()
    assert seen[0] is not None
    assert seen[0].password_hash == "changed"


def test_a_sign_in_that_waited_for_a_password_change_is_refused(scene: Scene) -> None:
    """Otherwise an identity that was started with the old password would survive a change that ends all of them."""
    identity = scene.join()
    outcome: list[str | Exception] = []

    def log_in() -> None:
        try:
            outcome.append(scene.log_in())
        except Exception as error:  # noqa: BLE001 - looked at below
            outcome.append(error)

    thread = Thread(target=log_in)
    customer = scene.get(identity)
    with scene.context.database.write() as connection:
        contact = contacts.lock(connection, customer.id)
        assert contact is not None
        thread.start()
        until_another_transaction_waits(scene)
        new_hash = scene.context.hasher.hash(SECOND_PASSWORD, contact.password_salt)
        accounts.change_password(connection, scene.context, scene.visitor, contact, new_hash, scene.context.clock())
    thread.join()
    assert isinstance(outcome[0], Exception), "the old password was accepted after it was changed"
    assert not scene.is_signed_in(identity)


def test_an_event_of_a_customer_deleted_meanwhile_names_no_customer(scene: Scene, visitor: Visitor) -> None:
    with scene.context.database.write() as connection:
        record(connection, visitor, EventKind.SIGN_IN, contact_id=4711, now=scene.context.clock())
    assert scene.rows(select(Event.c.contact_id))[-1][0] is None


def test_a_customer_who_is_deleted_while_the_password_is_checked_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.join()
    matching = scene.context.hasher.matching

    def delete_meanwhile(*arguments: Any) -> set[str]:
        scene.change_row(delete(Contact))
        return matching(*arguments)

    monkeypatch.setattr(scene.context.hasher, "matching", delete_meanwhile)
    scene.fail_to_log_in()
    scene.fail_to_log_in()


@pytest.mark.on_postgresql
@pytest.mark.parametrize(
    ("ask", "notice"),
    [
        (lambda scene: scene.register(), Notice.VERIFY),
        (lambda scene: scene.request_reset(), None),
    ],
    ids=["registration", "reset"],
)
def test_a_contact_deleted_between_two_statements_is_no_failure(
    scene: Scene, ask: Callable[[Scene], None], notice: Notice | None
) -> None:
    scene.add_guest(ADA, confirmed_at=None)
    engine = scene.context.database.engine
    forgotten: list[int] = []

    def forget(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "FOR NO KEY UPDATE" in statement and not forgotten:
            forgotten.append(1)
            scene.change_row(delete(Contact))

    event.listen(engine, "before_cursor_execute", forget)
    ask(scene)
    event.remove(engine, "before_cursor_execute", forget)
    assert forgotten
    assert [mail.notice for mail in scene.mails()] == ([notice] if notice else [])
    assert scene.count(Contact) == (1 if notice else 0)


@pytest.mark.on_postgresql
def test_signing_out_and_a_password_change_do_not_deadlock(scene: Scene) -> None:
    identity = scene.join()
    customer = scene.get(identity)
    with scene.context.database.write() as connection:
        contacts.lock(connection, customer.id)
        scene.log_out(identity)  # its event refers to the contact
        sign_outs.end_all(connection, customer.id, scene.context.clock())
    assert not scene.is_signed_in(identity)
