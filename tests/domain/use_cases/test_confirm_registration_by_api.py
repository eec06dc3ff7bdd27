"""Confirming a registration of a shop's server: what is stored, what is returned, and which links are refused."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from portal.domain.errors import Failure, Refused
from portal.domain.outbox import Notice
from portal.storage.models import Account, Contact, ContactGroup, Identity
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel
from tests.domain.scene import ADA, PASSWORD, WRONG_PASSWORD, Scene, refused

TEXT_FIELDS: dict[str, Any] = {
    "name": "Ada King, Countess of Lovelace",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+420 777123456",
    "company_name": "Engines & Sons",
    "company_registration_number": "12345678",
    "tax_identification_number": "CZ12345678",
    "street_address": "Long Street 5",
    "city": "Kladno",
    "city_part": "Old Town",
    "state_region": "Central Bohemia",
    "postal_code": "272 01",
    "country": "CZ",
    "locale": "cs",
}
RETURN_URL = "https://shop.example.com/welcome?from=portal"


@pytest.fixture
def shop(scene: Scene) -> Scene:
    return scene.via_api()


def test_all_details_are_stored_when_the_mailbox_is_proven(scene: Scene) -> None:
    referrer = scene.get(scene.join("referrer@example.com"))
    shop = scene.via_api("203.0.113.7")
    shop.register_by_api(
        **TEXT_FIELDS, newsletter=True, groups=("gold", "b2b"), referral=referrer.cu_ref_no, return_url=RETURN_URL
    )
    find = select(Contact).where(Contact.c.email == ADA)
    [waiting] = shop.rows(find)
    assert {getattr(waiting, name) for name in (*TEXT_FIELDS, "ip", "referred_by_id")} == {None}
    assert (waiting.newsletter, shop.count(ContactGroup)) == (False, 0)
    shop.confirm_by_api()
    [contact] = shop.rows(find)
    assert {name: getattr(contact, name) for name in TEXT_FIELDS} == TEXT_FIELDS
    assert (contact.newsletter, contact.referred_by_id, contact.ip) == (True, referrer.id, "203.0.113.7")
    assert groups_of(shop) == {"gold", "b2b"}


@pytest.mark.parametrize("name", [*TEXT_FIELDS, "ip"])
def test_only_empty_fields_are_filled(shop: Scene, name: str) -> None:
    shop = shop.via_api("203.0.113.7")
    known = "2001:db8::1" if name == "ip" else "DE"
    shop.add_guest(**{name: known})
    shop.register_by_api(**TEXT_FIELDS)
    shop.confirm_by_api()
    [contact] = shop.rows(select(Contact))
    others = {other: text for other, text in {**TEXT_FIELDS, "ip": "203.0.113.7"}.items() if other != name}
    assert getattr(contact, name) == known
    assert {other: getattr(contact, other) for other in others} == others


def test_groups_are_added_to_existing_ones(shop: Scene) -> None:
    contact_id = shop.add_guest()
    shop.change_row(insert(ContactGroup).values(contact_id=contact_id, name="gold"))
    shop.register_by_api(groups=("gold", "b2b", "b2b"))
    shop.confirm_by_api()
    assert groups_of(shop) == {"gold", "b2b"}


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ({"name": "Countess of Lovelace", "first_name": "Ada"}, "Countess of Lovelace"),
        ({"first_name": "Ada", "last_name": "Lovelace"}, "Ada Lovelace"),
        ({"last_name": "Lovelace"}, "Lovelace"),
        ({}, ""),
    ],
)
def test_a_name_is_stored_as_given_else_composed_of_its_parts(shop: Scene, typed: dict[str, str], name: str) -> None:
    shop.register_by_api(**typed)
    shop.confirm_by_api()
    assert shop.get(shop.log_in()).name == name


def test_confirming_by_the_api_returns_the_return_url_and_creates_no_session(shop: Scene, hashes: HashCounter) -> None:
    shop.register_by_api("A.da@gmail.com", return_url=RETURN_URL)
    before = hashes.computed
    confirmed = shop.confirm_by_api()
    assert (confirmed.email, confirmed.return_url) == ("a.da@gmail.com", RETURN_URL)
    assert (shop.count(Account), shop.count(Identity), hashes.computed) == (1, 0, before)
    assert shop.is_signed_in(shop.log_in("ada@gmail.com"))


def test_a_registration_without_a_return_url_returns_none(shop: Scene) -> None:
    shop.register_by_api()
    assert shop.confirm_by_api().return_url is None


def test_a_registration_by_the_pages_can_be_confirmed_by_the_api_and_the_reverse(scene: Scene) -> None:
    scene.register()
    scene.confirm_by_api()
    scene.register_by_api("eve@example.com")
    assert scene.is_signed_in(scene.confirm(scene.token(Notice.VERIFY), password=PASSWORD))


def test_the_pages_ask_for_the_password_of_a_registration_by_the_api(scene: Scene) -> None:
    scene.via_api().register_by_api()
    browser = scene.register("eve@example.com")
    token = next(mail.token for mail in scene.mails() if mail.recipient == ADA)
    for password in (None, WRONG_PASSWORD):
        with refused(Failure.WRONG_PASSWORD):
            scene.confirm(token or "", browser=browser, password=password)


@pytest.mark.differs_on_postgresql
def test_a_used_link_is_refused(shop: Scene) -> None:
    shop.register_by_api()
    token = shop.token(Notice.VERIFY)
    outcomes = in_parallel([lambda: shop.confirm_by_api(token)] * 8)
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(failures) == 7
    assert set(failures) <= {Failure.ALREADY_CONFIRMED, Failure.LINK_ENDED}
    assert shop.count(Account) == 1


def test_an_invalid_link_is_refused(shop: Scene, clock: MovableClock) -> None:
    shop.register_by_api()
    token = shop.token(Notice.VERIFY)
    with refused(Failure.NO_SUCH_LINK):
        shop.confirm_by_api("nonsense")
    with refused(Failure.NO_SUCH_LINK):
        shop.confirm_by_api(shop.ask_reset())
    clock.advance(timedelta(hours=24))
    with refused(Failure.LINK_EXPIRED):
        shop.confirm_by_api(token)
    shop.ban()
    with refused(Failure.LINK_ENDED):
        shop.confirm_by_api(token)
    assert shop.count(Account) == 0


def groups_of(scene: Scene) -> set[str]:
    return {row.name for row in scene.rows(select(ContactGroup.c.name))}
