"""Registering through a shop's server: what it is told, in which order, and what a registration keeps."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from limits import parse as parse_limit
from sqlalchemy import insert, select

from portal.domain.errors import Failure, Refused
from portal.domain.outbox import Notice
from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.storage.models import Account, Contact, ContactGroup, Event, Identity, Link, OutboxMail, Registration
from tests.conftest import MovableClock
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, refused
from tests.domain.watching import HashCounter, in_parallel

WEAK_PASSWORD = "password1"
RETRY = timedelta(minutes=10)
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


def nobody(scene: Scene) -> None:
    pass


def guest(scene: Scene) -> None:
    scene.add_guest()


def customer(scene: Scene) -> None:
    scene.join()


def banned_guest(scene: Scene) -> None:
    scene.add_guest()
    scene.ban()


def banned_customer(scene: Scene) -> None:
    scene.join()
    scene.ban()


def newcomer(scene: Scene) -> None:
    scene.register_by_api()


def newcomer_by_the_pages(scene: Scene) -> None:
    scene.register()


def guest_who_registers(scene: Scene) -> None:
    scene.add_guest()
    scene.register_by_api()


def banned_newcomer(scene: Scene) -> None:
    scene.register_by_api()
    scene.ban()


@pytest.mark.parametrize("password", [SECOND_PASSWORD, WEAK_PASSWORD, ""])
@pytest.mark.parametrize(
    ("who", "failure"),
    [
        (banned_guest, Failure.REGISTRATION_BANNED),
        (banned_customer, Failure.REGISTRATION_BANNED),
        (banned_newcomer, Failure.REGISTRATION_BANNED),
        (customer, Failure.ALREADY_REGISTERED),
        (newcomer, Failure.TOO_MANY_REGISTRATIONS),
        (newcomer_by_the_pages, Failure.TOO_MANY_REGISTRATIONS),
        (guest_who_registers, Failure.TOO_MANY_REGISTRATIONS),
    ],
)
def test_a_shop_is_told_what_is_known_of_an_address_whatever_the_password(
    shop: Scene, hashes: HashCounter, who: Callable[[Scene], None], password: str, failure: Failure
) -> None:
    who(shop)
    tables = (Contact, Registration, Link, OutboxMail)
    before = [shop.count(table) for table in tables]
    with refused(failure):
        assert hashes.during(lambda: shop.register_by_api(ADA, password)) == 0
    assert [shop.count(table) for table in tables] == before


@pytest.mark.parametrize("who", [banned_customer, customer, newcomer])
def test_each_refusal_is_recorded_with_the_contact(shop: Scene, who: Callable[[Scene], None]) -> None:
    who(shop)
    with pytest.raises(Refused) as refusal:
        shop.register_by_api()
    [(contact_id,)] = shop.rows(select(Contact.id))
    newest = shop.rows(select(Event.kind, Event.contact_id, Event.refusal).order_by(Event.id.desc()).limit(1))
    assert newest == [("register", contact_id, refusal.value.failure.name)]


@pytest.mark.parametrize("who", [nobody, guest])
def test_a_weak_password_is_refused_with_the_reason_and_may_be_corrected_at_once(
    shop: Scene, who: Callable[[Scene], None]
) -> None:
    who(shop)
    for _ in range(10):
        with refused(Failure.REGISTRATION_FAILED) as refusal:
            shop.register_by_api(ADA, WEAK_PASSWORD)
        assert refusal.value.detail
    assert (shop.count(Registration), shop.mails()) == (0, [])
    shop.register_by_api()


def test_a_password_is_not_made_of_the_whole_name(shop: Scene) -> None:
    with refused(Failure.REGISTRATION_FAILED):
        shop.register_by_api(ADA, "Guinevere1", name="Guinevere")


def test_an_address_may_be_registered_again_when_the_retry_is_over(shop: Scene, clock: MovableClock) -> None:
    shop.register_by_api()
    clock.advance(RETRY - timedelta(seconds=30))
    with refused(Failure.TOO_MANY_REGISTRATIONS) as refusal:
        shop.register_by_api(ADA, SECOND_PASSWORD)
    assert refusal.value.retry_after == 30
    clock.advance(timedelta(seconds=30))
    shop.register_by_api(ADA, SECOND_PASSWORD)
    with refused(Failure.TOO_MANY_REGISTRATIONS):
        shop.register_by_api()


def test_a_later_registration_leaves_the_earlier_one_its_link_and_password(shop: Scene, clock: MovableClock) -> None:
    shop.register_by_api()
    clock.advance(RETRY)
    shop.register_by_api(ADA, SECOND_PASSWORD)
    first, second = [mail.token for mail in shop.mails(Notice.VERIFY)]
    shop.confirm_by_api(first)
    assert shop.log_in(ADA, PASSWORD)
    with refused(Failure.ALREADY_CONFIRMED):
        shop.confirm_by_api(second)
    with refused(Failure.WRONG_PASSWORD):
        shop.log_in(ADA, SECOND_PASSWORD)


def test_the_retry_is_a_setting(shop: Scene, clock: MovableClock) -> None:
    shop = shop.with_rules(register_retry=timedelta(hours=2))
    shop.register_by_api()
    clock.advance(timedelta(hours=2) - timedelta(seconds=1))
    with refused(Failure.TOO_MANY_REGISTRATIONS):
        shop.register_by_api()
    clock.advance(timedelta(seconds=1))
    shop.register_by_api()


def test_a_registration_that_a_proof_of_the_mailbox_has_ended_holds_up_nobody(shop: Scene) -> None:
    shop.register_by_api()
    shop.log_in_by_email()
    shop.register_by_api(ADA, SECOND_PASSWORD)


def test_an_address_is_limited_however_slowly_it_is_registered(shop: Scene, clock: MovableClock) -> None:
    shop = shop.with_rules(mail_limit_address=parse_limit("3 per day"), register_retry=timedelta(seconds=1))
    for _ in range(3):
        shop.register_by_api()
        clock.advance(timedelta(seconds=1))
    with refused(Failure.TOO_MANY_REGISTRATIONS) as refusal:
        shop.register_by_api()
    assert refusal.value.retry_after
    shop.register_by_api("eve@example.com")


def test_the_network_that_a_shop_gives_is_limited_and_the_shops_own_is_not(shop: Scene) -> None:
    strict = shop.with_rules(
        register_limit_network=parse_limit("2 per hour"), mail_limit_network=parse_limit("2 per day")
    )
    for number in range(4):
        strict.register_by_api(f"ada{number}@example.com")
    given = strict.via_api("192.0.2.77")
    for number in range(4, 6):
        given.register_by_api(f"ada{number}@example.com")
    with refused(Failure.TOO_MANY_REGISTRATIONS):
        given.register_by_api("ada6@example.com")
    strict.register_by_api("ada6@example.com")


@pytest.mark.parametrize("as_guest", [True, False])
@pytest.mark.differs_on_postgresql
def test_of_parallel_registrations_of_one_address_one_succeeds(shop: Scene, as_guest: bool) -> None:
    shop = shop.without_limits()
    if as_guest:
        shop.add_guest()
    works = [
        lambda password=password: shop.register_by_api(ADA, password)
        for password in (f"{PASSWORD} number {number}" for number in range(8))
    ]
    outcomes = in_parallel(works)
    assert outcomes.count(None) == 1
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
    assert failures == [Failure.TOO_MANY_REGISTRATIONS] * 7
    assert (shop.count(Contact), shop.count(Registration), len(shop.mails(Notice.VERIFY))) == (1, 1, 1)


def test_an_account_that_began_while_the_password_was_hashed_is_not_registered_again(
    scene: Scene, hashes: HashCounter
) -> None:
    def join_meanwhile(*arguments: object, **options: object) -> bytes:
        hashes._hash_secret = hashes_then
        scene.join(ADA, SECOND_PASSWORD)
        return hashes_then(*arguments, **options)

    hashes_then, hashes._hash_secret = hashes._hash_secret, join_meanwhile
    with refused(Failure.ALREADY_REGISTERED):
        scene.register_by_api()
    assert scene.log_in(ADA, SECOND_PASSWORD)


def test_all_that_is_typed_waits_and_counts_when_the_mailbox_is_proven(scene: Scene) -> None:
    referrer = scene.get(scene.join("referrer@example.com"))
    shop = scene.via_api("203.0.113.7")
    shop.register_by_api(
        **TEXT_FIELDS, newsletter=True, groups=("gold", "b2b"), referral=referrer.cu_ref_no, return_url=RETURN_URL
    )
    find = select(Contact).where(Contact.email == ADA)
    [waiting] = shop.rows(find)
    assert {getattr(waiting, name) for name in (*TEXT_FIELDS, "ip", "referred_by_id")} == {None}
    assert (waiting.newsletter, shop.count(ContactGroup)) == (False, 0)
    shop.confirm_by_api()
    [contact] = shop.rows(find)
    assert {name: getattr(contact, name) for name in TEXT_FIELDS} == TEXT_FIELDS
    assert (contact.newsletter, contact.referred_by_id, contact.ip) == (True, referrer.id, "203.0.113.7")
    assert groups_of(shop) == {"gold", "b2b"}


@pytest.mark.parametrize("name", [*TEXT_FIELDS, "ip"])
def test_only_what_was_empty_is_filled(shop: Scene, name: str) -> None:
    shop = shop.via_api("203.0.113.7")
    known = "2001:db8::1" if name == "ip" else "DE"
    shop.add_guest(**{name: known})
    shop.register_by_api(**TEXT_FIELDS)
    shop.confirm_by_api()
    [contact] = shop.rows(select(Contact))
    others = {other: text for other, text in {**TEXT_FIELDS, "ip": "203.0.113.7"}.items() if other != name}
    assert getattr(contact, name) == known
    assert {other: getattr(contact, other) for other in others} == others


def test_groups_are_added_to_those_there_are(shop: Scene) -> None:
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
def test_a_name_is_kept_as_given_else_made_of_its_parts(shop: Scene, typed: dict[str, str], name: str) -> None:
    shop.register_by_api(**typed)
    shop.confirm_by_api()
    assert shop.get(shop.log_in()).name == name


def test_mails_of_a_registration_speak_its_language(shop: Scene) -> None:
    shop.register_by_api(locale="cs")
    assert shop.rows(select(OutboxMail.locale)) == [("cs",)]


def test_confirming_for_a_shop_signs_nobody_in_and_hands_the_return_address_back(
    shop: Scene, hashes: HashCounter
) -> None:
    shop.register_by_api("A.da@gmail.com", return_url=RETURN_URL)
    before = hashes.computed
    confirmed = shop.confirm_by_api()
    assert (confirmed.email, confirmed.return_url) == ("a.da@gmail.com", RETURN_URL)
    assert (shop.count(Account), shop.count(Identity), hashes.computed) == (1, 0, before)
    assert shop.is_signed_in(shop.log_in("ada@gmail.com"))


def test_a_registration_without_a_return_address_has_none(shop: Scene) -> None:
    shop.register_by_api()
    assert shop.confirm_by_api().return_url is None


def test_a_registration_by_the_pages_can_be_confirmed_through_the_shop_and_the_other_way_round(scene: Scene) -> None:
    scene.register()
    scene.confirm_by_api()
    scene.register_by_api("eve@example.com")
    assert scene.is_signed_in(scene.confirm(scene.token(Notice.VERIFY), password=PASSWORD))


def test_on_the_pages_the_link_of_a_shops_registration_asks_for_the_password(scene: Scene) -> None:
    scene.via_api().register_by_api()
    browser = scene.register("eve@example.com")
    token = next(mail.token for mail in scene.mails() if mail.recipient == ADA)
    for password in (None, WRONG_PASSWORD):
        with refused(Failure.WRONG_PASSWORD):
            scene.confirm(token or "", browser=browser, password=password)


@pytest.mark.differs_on_postgresql
def test_a_link_is_confirmed_once(shop: Scene) -> None:
    shop.register_by_api()
    token = shop.token(Notice.VERIFY)
    outcomes = in_parallel([lambda: shop.confirm_by_api(token)] * 8)
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(failures) == 7
    assert set(failures) <= {Failure.ALREADY_CONFIRMED, Failure.LINK_ENDED}
    assert shop.count(Account) == 1


def test_a_link_that_is_of_no_use_is_refused(shop: Scene, clock: MovableClock) -> None:
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


def test_a_registration_that_nobody_confirmed_is_forgotten_by_the_login(shop: Scene, clock: MovableClock) -> None:
    shop.register_by_api()
    with refused(Failure.UNVERIFIED):
        shop.log_in()
    clock.advance(PENDING_LIFETIME)
    with refused(Failure.UNKNOWN_CONTACT):
        shop.log_in()


def groups_of(scene: Scene) -> set[str]:
    return {row.name for row in scene.rows(select(ContactGroup.name))}
