"""A customer who is deleted is gone: from every table, from the file, from every browser."""

from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from portal.domain.errors import Failure
from portal.domain.operations.customers import CustomerReference, UnknownCustomer
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.export_customer import EXPORTED
from portal.domain.use_cases.set_new_password import get_reset_link
from portal.domain.values.email import parse_email
from portal.storage.models import Base, Contact, Event, Identity, Registration
from tests.domain.life import EMAIL, FRIEND, FRIENDS_IP, Life, live
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused
from tests.domain.watching import HashCounter, wait_until


@pytest.fixture
def life(scene: Scene) -> Life:
    return live(scene)


def delete(scene: Scene, email: str = EMAIL) -> dict[str, int]:
    return delete_customer(scene.context, scene.visitor.organisation_id, parse_email(email))


def everything(scene: Scene) -> str:
    """All that a dump of the database would hold."""
    return "\n".join(str(row) for table in Base.metadata.sorted_tables for row in scene.rows(select(table)))


def test_a_dump_of_the_database_holds_nothing_of_a_deleted_customer(scene: Scene, life: Life) -> None:
    assert [trace for trace in life.traces if trace not in everything(scene)] == []
    delete(scene)
    assert [trace for trace in life.traces if trace in everything(scene)] == []


@pytest.mark.on_sqlite
def test_nor_do_the_files_of_sqlite(scene: Scene, life: Life, database_url: str) -> None:
    path = Path(make_url(database_url).database or "")

    def files() -> bytes:
        return b"".join(found.read_bytes() for found in path.parent.glob(path.name + "*"))

    assert [trace for trace in life.traces if trace.encode() not in files()] == []
    delete(scene)
    assert [trace for trace in life.traces if trace.encode() in files()] == []
    assert FRIEND.encode() in files()


def test_what_was_removed_is_told_table_by_table(scene: Scene, life: Life) -> None:
    tables = [table for table in EXPORTED if table is not Contact]
    before = {table: scene.count(table) for table in tables}
    removed = delete(scene)
    assert removed == {
        "mails": 5,
        "links": 4,
        "registrations": 2,
        "handovers": 1,
        "identities": 2,
        "devices": 1,
        "events": 10,
        "former passwords": 1,
        "accounts": 1,
        "groups": 2,
        "contacts": 1,
    }
    gone = sum(before[table] - scene.count(table) for table in tables)
    assert gone == sum(removed.values()) - removed["contacts"] - 1  # the event of the deletion came


def test_nobody_is_signed_in_any_more_and_no_link_works(scene: Scene, life: Life) -> None:
    assert scene.is_signed_in(life.identity)
    get_reset_link(scene.context, scene.visitor, life.reset)
    delete(scene)
    assert not scene.is_signed_in(life.identity)
    with refused(Failure.NO_SUCH_LINK):
        get_reset_link(scene.context, scene.visitor, life.reset)
    with refused(Failure.UNKNOWN_CONTACT):
        scene.log_in(EMAIL, SECOND_PASSWORD)


def test_everybody_else_keeps_everything(scene: Scene, life: Life) -> None:
    friend = scene.log_in(FRIEND)
    delete(scene)
    assert scene.is_signed_in(friend)
    assert scene.rows(select(Contact.email).order_by(Contact.id)) == [
        (FRIEND,),
        ("referred@example.com",),
        ("waiting@example.com",),
    ]
    assert FRIENDS_IP in everything(scene)


def test_whom_they_referred_was_referred_by_nobody(scene: Scene, life: Life) -> None:
    delete(scene)
    assert set(scene.rows(select(Contact.referred_by_id))) == {(None,)}
    assert (life.cu_ref_no,) not in scene.rows(select(Registration.referral))


def test_the_deletion_is_an_event_that_names_nobody(scene: Scene, life: Life) -> None:
    delete(scene)
    newest = select(Event.kind, Event.contact_id, Event.ip).order_by(Event.id.desc()).limit(1)
    assert scene.rows(newest) == [("delete", None, None)]


def test_a_customer_without_an_address_goes_by_reference_number(scene: Scene) -> None:
    scene.add_guest(phone="+420 777123456", cu_ref_no="Abcdefgh12345678")
    assert (
        delete_customer(scene.context, scene.visitor.organisation_id, CustomerReference("Abcdefgh12345678"))["contacts"]
        == 1
    )
    assert scene.count(Contact) == 0


def test_another_organisations_customer_stays(scene: Scene) -> None:
    second = scene.at_another_organisation()
    second.join()
    for whom in (parse_email(ADA), CustomerReference(str(scene.rows(select(Contact.cu_ref_no))[0][0]))):
        with pytest.raises(UnknownCustomer):
            delete_customer(scene.context, scene.visitor.organisation_id, whom)
    assert scene.count(Identity) == 1


def test_the_address_can_be_registered_anew(scene: Scene, life: Life) -> None:
    delete(scene)
    assert scene.is_signed_in(scene.join(EMAIL, PASSWORD))


@pytest.mark.differs_on_postgresql
def test_who_is_deleted_while_the_password_is_checked_is_refused(scene: Scene, hashes: HashCounter) -> None:
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
    assert scene.rows(select(Event.kind, Event.contact_id)) == [("delete", None), ("sign_in", None)]
