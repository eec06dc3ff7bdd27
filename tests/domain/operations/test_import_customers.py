"""An import is one short transaction, and changes no existing customer."""

from typing import Any

import pytest
from sqlalchemy import func, select

from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.import_customers import BadRow, ImportRefused, Row, begin_import
from portal.domain.operations.import_tables import ImportCounts
from portal.domain.values.email import parse_email
from portal.storage.models import Account, Contact, ContactGroup
from tests.domain.scene import ADA, Scene

pytestmark = pytest.mark.differs_on_postgresql

BCRYPT = "$2b$12$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"


def bring_in(scene: Scene, *customers: dict[str, Any]) -> ImportCounts:
    """Import customers; no row may be rejected."""
    with begin_import(scene.context, scene.visitor.organisation_id) as begun:
        assert list(begun.check(Row(number, values) for number, values in enumerate(customers))) == []
        return begun.store()


def contacts(scene: Scene) -> list[Any]:
    return scene.rows(select(Contact).order_by(Contact.c.id))


def test_customers_are_imported_in_order_with_their_groups_and_accounts(scene: Scene) -> None:
    imported = bring_in(
        scene,
        {"email": "zoe@example.com", "passwordHash": BCRYPT, "groups": ["vip", "b2b"], "createdAt": "2019-05-06"},
        {"phone": "+420 777123456", "groups": ["vip"]},
        {"email": ADA},
    )
    assert imported == ImportCounts(customers=3, accounts=1)
    zoe, phone_only, ada = contacts(scene)
    assert (zoe.email, phone_only.phone, ada.email_key) == ("zoe@example.com", "+420 777123456", ADA)
    assert (zoe.confirmed_at, ada.created_at) == (scene.context.clock(), scene.context.clock())
    assert len({zoe.password_salt, phone_only.password_salt, ada.password_salt}) == 3
    assert len({zoe.cu_ref_no, phone_only.cu_ref_no, ada.cu_ref_no}) == 3
    assert scene.rows(select(Account.c.contact_id, Account.c.password_hash)) == [(zoe.id, BCRYPT)]
    (account,) = scene.rows(select(Account.c.created_at, Account.c.password_set_at))
    assert account == (zoe.created_at, zoe.created_at)
    groups = scene.rows(
        select(ContactGroup.c.contact_id, ContactGroup.c.name).order_by(ContactGroup.c.contact_id, "name")
    )
    assert groups == [(zoe.id, "b2b"), (zoe.id, "vip"), (phone_only.id, "vip")]


def test_a_customer_after_an_import_gets_a_new_id(scene: Scene) -> None:
    bring_in(scene, {"email": "zoe@example.com"})
    scene.join()
    bring_in(scene, {"email": "cyd@example.com"})
    assert [contact.email for contact in contacts(scene)] == ["zoe@example.com", ADA, "cyd@example.com"]


def test_referrers_are_found_in_the_file_and_in_the_database(scene: Scene) -> None:
    bring_in(scene, {"email": "old@example.com", "cuRefNo": "OldOldOldOldOld1"})
    bring_in(
        scene,
        {"email": "a@example.com", "referralId": "BbbbbbbbbbbbbbbB"},
        {"email": "b@example.com", "cuRefNo": "BbbbbbbbbbbbbbbB", "referralId": "OldOldOldOldOld1"},
        {"email": "c@example.com", "cuRefNo": "Cccccccccccccccc", "referralId": "Cccccccccccccccc"},
        {"email": "d@example.com", "referralId": "NobodyNobodyNobo"},
    )
    old, a, b, c, d = contacts(scene)
    assert (a.referred_by_id, b.referred_by_id) == (b.id, old.id)
    assert (c.referred_by_id, d.referred_by_id) == (None, None)


def test_a_referrer_of_another_organisation_is_ignored(scene: Scene) -> None:
    bring_in(scene.at_another_organisation(), {"email": ADA, "cuRefNo": "OldOldOldOldOld1"})
    bring_in(scene, {"email": ADA, "referralId": "OldOldOldOldOld1"})
    assert [contact.referred_by_id for contact in contacts(scene)] == [None, None]


def test_bad_rows_are_reported_in_line_order_however_many(scene: Scene) -> None:
    scene.add_guest()
    rows: list[Row | BadRow] = [Row(line, {"email": f"customer{line}@example.com"}) for line in range(1, 2001)]
    rows[6], rows[7], rows[1500] = Row(7, {"email": ADA}), BadRow(8, "It is odd."), Row(1501, {"email": 1})
    rows[1600] = Row(1601, {"email": "customer1@example.com"})
    with begin_import(scene.context, scene.visitor.organisation_id) as begun:
        assert [bad.line for bad in begun.check(rows)] == [7, 8, 1501, 1601]
        assert begun.store().customers == 1996


def test_a_customer_created_while_the_file_is_read_stops_the_import(scene: Scene) -> None:
    with begin_import(scene.context, scene.visitor.organisation_id) as begun:
        assert list(begun.check([Row(1, {"email": "zoe@example.com"}), Row(2, {"email": ADA})])) == []
        scene.add_guest()
        with pytest.raises(ImportRefused) as hindered:
            begun.store()
    assert ADA not in str(hindered.value)
    assert hindered.value.__cause__ is None
    assert [contact.email for contact in contacts(scene)] == [ADA]


def test_reading_a_file_blocks_no_other_writer(scene: Scene) -> None:
    with begin_import(scene.context, scene.visitor.organisation_id) as begun:
        assert list(begun.check([Row(1, {"email": "zoe@example.com"})])) == []
        with (
            scene.context.database.write_without_waiting()
        ):  # on SQLite this fails at once if another connection writes
            pass
        scene.join()
        assert begun.store().customers == 1


def test_an_import_leaves_no_temporary_data_behind(scene: Scene) -> None:
    for _ in range(2):
        with begin_import(scene.context, scene.visitor.organisation_id) as begun:
            assert list(begun.check([Row(1, {"email": ADA})])) == []
    with begin_import(scene.context, scene.visitor.organisation_id) as begun:
        assert begun.store() == ImportCounts(0, 0)
    assert scene.rows(select(func.count()).select_from(Contact)) == [(0,)]


def test_a_customer_with_a_closed_account_is_refused_until_it_is_erased(scene: Scene) -> None:
    scene.close(scene.join())
    with begin_import(scene.context, scene.visitor.organisation_id) as begun:
        (bad,) = begun.check([Row(2, {"email": ADA})])
    words = "email: This customer has closed the account. Import the row after the account is erased."
    assert bad == BadRow(2, words)
    delete_customer(scene.context, scene.visitor.organisation_id, parse_email(ADA))
    assert bring_in(scene, {"email": ADA}).customers == 1
