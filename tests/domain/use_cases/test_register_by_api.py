"""Registration by a shop's server: the answers and their order, and the limits."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from limits import parse as parse_limit
from sqlalchemy import select

from portal.domain.errors import Failure, Refused
from portal.domain.outbox import Notice
from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.storage.models import Contact, Event, Link, OutboxMail, Registration
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused
from tests.domain.use_cases.address_states import banned_customer, banned_guest, customer, guest, pending, unknown

WEAK_PASSWORD = "password1"
RETRY = timedelta(minutes=10)


@pytest.fixture
def shop(scene: Scene) -> Scene:
    return scene.via_api()


def pending_by_api(scene: Scene) -> None:
    scene.register_by_api()


def guest_who_registers_by_api(scene: Scene) -> None:
    scene.add_guest()
    scene.register_by_api()


def banned_pending_by_api(scene: Scene) -> None:
    scene.register_by_api()
    scene.ban()


@pytest.mark.parametrize("password", [SECOND_PASSWORD, WEAK_PASSWORD, ""])
@pytest.mark.parametrize(
    ("who", "failure"),
    [
        (banned_guest, Failure.REGISTRATION_BANNED),
        (banned_customer, Failure.REGISTRATION_BANNED),
        (banned_pending_by_api, Failure.REGISTRATION_BANNED),
        (customer, Failure.ALREADY_REGISTERED),
        (pending_by_api, Failure.TOO_MANY_REGISTRATIONS),
        (pending, Failure.TOO_MANY_REGISTRATIONS),
        (guest_who_registers_by_api, Failure.TOO_MANY_REGISTRATIONS),
    ],
)
def test_the_api_refuses_a_known_address_with_any_password(
    shop: Scene, hashes: HashCounter, who: Callable[[Scene], None], password: str, failure: Failure
) -> None:
    who(shop)
    tables = (Contact, Registration, Link, OutboxMail)
    before = [shop.count(table) for table in tables]
    with refused(failure):
        assert hashes.during(lambda: shop.register_by_api(ADA, password)) == 0
    assert [shop.count(table) for table in tables] == before


@pytest.mark.parametrize("who", [banned_customer, customer, pending_by_api])
def test_each_refusal_is_recorded_with_the_contact(shop: Scene, who: Callable[[Scene], None]) -> None:
    who(shop)
    with pytest.raises(Refused) as refusal:
        shop.register_by_api()
    [(contact_id,)] = shop.rows(select(Contact.c.id))
    newest = shop.rows(select(Event.c.kind, Event.c.contact_id, Event.c.refusal).order_by(Event.c.id.desc()).limit(1))
    assert newest == [("register", contact_id, refusal.value.failure.name)]


@pytest.mark.parametrize("who", [unknown, guest])
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


def test_an_address_may_be_registered_again_after_the_retry_interval(shop: Scene, clock: MovableClock) -> None:
    shop.register_by_api()
    clock.advance(RETRY - timedelta(seconds=30))
    with refused(Failure.TOO_MANY_REGISTRATIONS) as refusal:
        shop.register_by_api(ADA, SECOND_PASSWORD)
    assert refusal.value.retry_after == 30
    clock.advance(timedelta(seconds=30))
    shop.register_by_api(ADA, SECOND_PASSWORD)
    with refused(Failure.TOO_MANY_REGISTRATIONS):
        shop.register_by_api()


def test_a_later_registration_keeps_the_link_and_password_of_the_earlier_one(shop: Scene, clock: MovableClock) -> None:
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


def test_the_retry_interval_is_a_setting(shop: Scene, clock: MovableClock) -> None:
    shop = shop.with_rules(register_retry=timedelta(hours=2))
    shop.register_by_api()
    clock.advance(timedelta(hours=2) - timedelta(seconds=1))
    with refused(Failure.TOO_MANY_REGISTRATIONS):
        shop.register_by_api()
    clock.advance(timedelta(seconds=1))
    shop.register_by_api()


def test_a_registration_ended_by_a_mailbox_proof_does_not_block_a_new_one(shop: Scene) -> None:
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


def test_registrations_are_limited_by_the_network_that_the_shop_names_not_by_its_own(shop: Scene) -> None:
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


def test_an_account_created_while_the_password_was_hashed_is_not_registered_again(
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


def test_registration_emails_are_in_the_language_of_the_registration(shop: Scene) -> None:
    shop.register_by_api(locale="cs")
    assert shop.rows(select(OutboxMail.c.locale)) == [("cs",)]


def test_the_login_ignores_an_expired_registration(shop: Scene, clock: MovableClock) -> None:
    shop.register_by_api()
    with refused(Failure.UNVERIFIED):
        shop.log_in()
    clock.advance(PENDING_LIFETIME)
    with refused(Failure.UNKNOWN_CONTACT):
        shop.log_in()
