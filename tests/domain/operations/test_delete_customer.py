"""A deleted customer is in no table, no file and no browser any more."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import select, update
from sqlalchemy.engine import make_url

from portal.domain.customer_data import EXPORTED
from portal.domain.errors import Failure
from portal.domain.operations import mail_delivery
from portal.domain.operations.customers import CustomerReference, UnknownCustomer
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.restore import end_open_state
from portal.domain.outbox import Notice
from portal.domain.tokens import random_id
from portal.domain.use_cases.set_new_password import get_reset_link
from portal.domain.values.email import parse_email
from portal.storage.models import METADATA, Contact, Event, Identity, OutboxMail, Registration
from tests.domain.full_customer import EMAIL, FRIEND, FRIENDS_IP, FullCustomer, create_full_customer
from tests.domain.instrumentation import HashCounter, wait_until
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused


@pytest.fixture
def customer(scene: Scene) -> FullCustomer:
    return create_full_customer(scene)


def delete(scene: Scene, email: str = EMAIL) -> dict[str, int]:
    return delete_customer(scene.context, scene.visitor.organisation_id, parse_email(email))


def send_all(scene: Scene) -> None:
    """Send all due emails."""
    context = scene.context
    with context.database.write() as connection:
        while mail := mail_delivery.claim_next(connection, context.clock, random_id()):
            assert mail_delivery.mark_sent(connection, mail, context.clock)
    context.database.scrub()


def everything(scene: Scene) -> str:
    """Return all that a dump of the database would contain."""
    return "\n".join(str(row) for table in METADATA.sorted_tables for row in scene.rows(select(table)))


def test_a_dump_of_the_database_holds_nothing_of_a_deleted_customer(scene: Scene, customer: FullCustomer) -> None:
    assert [trace for trace in customer.traces if trace not in everything(scene)] == []
    delete(scene)
    assert [trace for trace in customer.traces if trace in everything(scene)] == [
        EMAIL
    ]  # an email that is still to be sent
    send_all(scene)
    assert [trace for trace in customer.traces if trace in everything(scene)] == []


@pytest.mark.on_sqlite
def test_the_files_of_sqlite_hold_nothing_of_a_deleted_customer(
    scene: Scene, customer: FullCustomer, database_url: str
) -> None:
    path = Path(make_url(database_url).database or "")

    def files() -> bytes:
        return b"".join(found.read_bytes() for found in path.parent.glob(path.name + "*"))

    assert [trace for trace in customer.traces if trace.encode() not in files()] == []
    delete(scene)
    assert [trace for trace in customer.traces if trace.encode() in files()] == [EMAIL]
    send_all(scene)
    assert [trace for trace in customer.traces if trace.encode() in files()] == []
    assert FRIEND.encode() in files()


def test_the_number_of_deleted_rows_is_reported_by_table(scene: Scene, customer: FullCustomer) -> None:
    tables = [table for table in EXPORTED if table is not Contact]
    before = {table: scene.count(table) for table in tables}
    removed = delete(scene)
    assert removed == {
        "address changes": 1,
        "mails": 10,
        "links": 10,
        "registrations": 2,
        "handovers": 1,
        "identities": 2,
        "devices": 1,
        "passkeys": 1,
        "pending sign-ins": 1,
        "recovery codes": 10,
        "second steps": 1,
        "events": 15,
        "former passwords": 1,
        "accounts": 1,
        "groups": 2,
        "contacts": 1,
    }
    gone = sum(before[table] - scene.count(table) for table in tables)
    assert (
        gone == sum(removed.values()) - removed["contacts"] - 2
    )  # the event of the deletion was added, and the notice


def test_a_deleted_customer_is_signed_out_and_no_link_works(scene: Scene, customer: FullCustomer) -> None:
    assert scene.is_signed_in(customer.identity)
    get_reset_link(scene.context, scene.visitor, customer.reset)
    delete(scene)
    assert not scene.is_signed_in(customer.identity)
    with refused(Failure.NO_SUCH_LINK):
        get_reset_link(scene.context, scene.visitor, customer.reset)
    with refused(Failure.UNKNOWN_CONTACT):
        scene.log_in(EMAIL, SECOND_PASSWORD)


def test_other_customers_keep_everything(scene: Scene, customer: FullCustomer) -> None:
    friend = scene.log_in(FRIEND)
    delete(scene)
    assert scene.is_signed_in(friend)
    assert scene.rows(select(Contact.c.email).order_by(Contact.c.id)) == [
        (FRIEND,),
        ("referred@example.com",),
        ("waiting@example.com",),
    ]
    assert FRIENDS_IP in everything(scene)


def test_customers_whom_a_deleted_customer_referred_have_no_referrer(scene: Scene, customer: FullCustomer) -> None:
    delete(scene)
    assert set(scene.rows(select(Contact.c.referred_by_id))) == {(None,)}
    assert (customer.cu_ref_no,) not in scene.rows(select(Registration.c.referral))


def test_the_deletion_is_an_event_without_personal_data(scene: Scene, customer: FullCustomer) -> None:
    delete(scene)
    newest = select(Event.c.kind, Event.c.contact_id, Event.c.ip).order_by(Event.c.id.desc()).limit(1)
    assert scene.rows(newest) == [("delete", None, None)]


def test_an_erased_customer_gets_an_email_in_their_language(scene: Scene, customer: FullCustomer) -> None:
    delete(scene)
    notices = select(OutboxMail.c.contact_id, OutboxMail.c.recipient, OutboxMail.c.locale, OutboxMail.c.ip).where(
        OutboxMail.c.notice == Notice.ERASED
    )
    assert scene.rows(notices) == [(None, EMAIL, "cs-CZ", None)]


@pytest.mark.parametrize("finish", [mail_delivery.mark_dead, mail_delivery.mark_expired])
def test_a_notice_that_is_given_up_leaves_no_address(scene: Scene, finish: Callable[..., bool]) -> None:
    scene.add_guest()
    delete(scene, ADA)
    with scene.context.database.write() as connection:
        mail = mail_delivery.claim_next(connection, scene.context.clock, random_id())
        assert mail is not None
        assert mail_delivery.retry_later(connection, mail, scene.context.clock, "451 later")
    assert scene.count(OutboxMail) == 1
    scene.change_row(update(OutboxMail).values(claim=mail.claim))
    with scene.context.database.write() as connection:
        assert finish(connection, mail, scene.context.clock, "550 never")
        assert not finish(connection, mail, scene.context.clock, "550 never")
    assert scene.count(OutboxMail) == 0


def test_a_notice_in_a_restored_copy_is_deleted(scene: Scene) -> None:
    scene.add_guest()
    delete(scene, ADA)
    with scene.context.database.write() as connection:
        end_open_state(connection, scene.context.clock())
    assert scene.count(OutboxMail) == 0


def test_an_address_that_was_never_confirmed_gets_no_notice(scene: Scene) -> None:
    scene.register()
    delete(scene, ADA)
    assert scene.count(OutboxMail) == 0


def test_a_customer_without_an_address_is_deleted_by_reference_number(scene: Scene) -> None:
    scene.add_guest(phone="+420 777123456", cu_ref_no="Abcdefgh12345678", email_key=None)
    scene.change_row(update(Contact).values(email=None))
    assert (
        delete_customer(scene.context, scene.visitor.organisation_id, CustomerReference("Abcdefgh12345678"))["contacts"]
        == 1
    )
    assert scene.count(Contact) == scene.count(OutboxMail) == 0


def test_a_customer_of_another_organisation_stays(scene: Scene) -> None:
    second = scene.at_another_organisation()
    second.join()
    for whom in (parse_email(ADA), CustomerReference(str(scene.rows(select(Contact.c.cu_ref_no))[0][0]))):
        with pytest.raises(UnknownCustomer):
            delete_customer(scene.context, scene.visitor.organisation_id, whom)
    assert scene.count(Identity) == 1


def test_the_address_of_a_deleted_customer_can_be_registered_again(scene: Scene, customer: FullCustomer) -> None:
    delete(scene)
    assert scene.is_signed_in(scene.join(EMAIL, PASSWORD))


@pytest.mark.differs_on_postgresql
def test_a_customer_deleted_while_the_password_is_checked_is_refused(scene: Scene, hashes: HashCounter) -> None:
    scene.join()
    outcomes: list[str] = []

    def sign_in() -> None:
        with refused(Failure.WRONG_PASSWORD) as refusal:
            scene.log_in()
        outcomes.append(refusal.value.failure.name)

    hashes.gate.clear()
    thread = Thread(target=sign_in)
    thread.start()
    wait_until(lambda: hashes.running == 1)
    delete(scene, ADA)
    hashes.gate.set()
    thread.join()
    assert outcomes == ["WRONG_PASSWORD"]
    assert scene.rows(select(Event.c.kind, Event.c.contact_id)) == [("delete", None), ("sign_in", None)]
