"""Magic auth: who is signed in, who becomes a contact, and what stays unchanged."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from limits import parse as parse_limit
from sqlalchemy import select, update

from portal.domain.errors import Failure, Refused
from portal.domain.outbox import Notice
from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.storage.models import Account, Contact, Event, Identity, Organisation, OutboxMail, Registration
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused
from tests.domain.use_cases.address_states import (
    banned_customer,
    banned_guest,
    banned_pending,
    customer,
    customer_with_a_locked_password,
    guest,
    guest_who_registers,
    pending,
    unknown,
)


@pytest.fixture
def shop(scene: Scene) -> Scene:
    return scene.via_api()


def create_no_contacts(scene: Scene) -> Scene:
    """Let the organisation create no contacts for unknown addresses."""
    scene.change_row(update(Organisation).values(magic_auth_creates=False))
    return scene


GOOD = [guest, customer, customer_with_a_locked_password, guest_who_registers]
ALWAYS_REFUSED: list[Any] = [
    (banned_guest, Failure.BANNED),
    (banned_customer, Failure.BANNED),
    (banned_pending, Failure.BANNED),
    (pending, Failure.UNVERIFIED),
]


@pytest.mark.parametrize("who", [unknown, *GOOD])
def test_magic_auth_signs_in_without_a_password(shop: Scene, hashes: HashCounter, who: Callable[[Scene], None]) -> None:
    who(shop)
    before = hashes.computed
    identity = shop.magic_auth()
    assert shop.get(identity).email == ADA
    assert hashes.computed == before
    [newest] = shop.rows(select(Event.c.kind, Event.c.refusal).order_by(Event.c.id.desc()).limit(1))
    assert newest == ("sign_in_vouched", None)


@pytest.mark.parametrize("creates", [True, False])
@pytest.mark.parametrize(("who", "failure"), ALWAYS_REFUSED)
def test_magic_auth_of_a_banned_or_pending_customer_is_refused(
    shop: Scene, who: Callable[[Scene], None], failure: Failure, creates: bool
) -> None:
    if not creates:
        create_no_contacts(shop)
    refuse(shop, who, failure)


@pytest.mark.parametrize(
    ("who", "failure"),
    [
        (unknown, Failure.UNKNOWN_CONTACT),
        (guest, Failure.NO_ACCOUNT),
        (guest_who_registers, Failure.NO_ACCOUNT),
    ],
)
def test_magic_auth_without_creation_refuses_an_unknown_address(
    shop: Scene, who: Callable[[Scene], None], failure: Failure
) -> None:
    refuse(create_no_contacts(shop), who, failure)


def refuse(shop: Scene, who: Callable[[Scene], None], failure: Failure) -> None:
    who(shop)
    before = shop.rows(select(Contact)), shop.count(Identity)
    with refused(failure):
        shop.magic_auth(first_name="Eve")
    assert (shop.rows(select(Contact)), shop.count(Identity)) == before
    [newest] = shop.rows(select(Event.c.kind, Event.c.refusal).order_by(Event.c.id.desc()).limit(1))
    assert newest == ("sign_in_vouched", failure.name)


def test_magic_auth_without_creation_signs_in_existing_accounts(shop: Scene) -> None:
    shop.join()
    assert shop.is_signed_in(create_no_contacts(shop).magic_auth())


def test_magic_auth_creates_a_contact_with_the_given_details(scene: Scene) -> None:
    referrer = scene.get(scene.join("referrer@example.com"))
    shop = scene.via_api("203.0.113.7")
    identity = shop.magic_auth("Eve.Rook@gmail.com", first_name="Eve", last_name="Rook", referral=referrer.cu_ref_no)
    [contact] = shop.rows(select(Contact).where(Contact.c.email == "eve.rook@gmail.com"))
    assert (contact.first_name, contact.last_name, contact.ip) == ("Eve", "Rook", "203.0.113.7")
    assert contact.referred_by_id == referrer.id
    assert shop.get(identity).name == "Eve Rook"
    assert (scene.count(Account), len(scene.mails(Notice.VERIFY))) == (1, 1)  # both the referrer's
    with refused(Failure.NO_ACCOUNT):
        shop.log_in("everook@gmail.com")


@pytest.mark.parametrize("referral", ["A" * 16, None])
def test_an_unknown_referral_is_ignored(shop: Scene, referral: str | None) -> None:
    shop.magic_auth(referral=referral)
    assert shop.rows(select(Contact.c.referred_by_id)) == [(None,)]


@pytest.mark.parametrize("who", GOOD)
def test_magic_auth_does_not_overwrite_stored_details(scene: Scene, who: Callable[[Scene], None]) -> None:
    referrer = scene.get(scene.join("referrer@example.com"))
    who(scene)
    kept = (select(Contact), select(Account), select(Registration), select(OutboxMail))
    before = [scene.rows(table) for table in kept]
    scene.via_api("203.0.113.7").magic_auth(first_name="Eve", last_name="Rook", referral=referrer.cu_ref_no)
    assert [scene.rows(table) for table in kept] == before


def test_magic_auth_ends_no_pending_registration(shop: Scene) -> None:
    shop.add_guest()
    shop.register()
    shop.magic_auth()
    shop.confirm_by_api()
    assert shop.is_signed_in(shop.log_in())


def test_an_address_is_unknown_after_its_pending_registration_expired(shop: Scene, clock: MovableClock) -> None:
    shop.register("a.da@gmail.com", first_name="Stranger")
    clock.advance(PENDING_LIFETIME - timedelta(seconds=1))
    with refused(Failure.UNVERIFIED):
        shop.magic_auth("ada@gmail.com")
    clock.advance(timedelta(seconds=1))
    with refused(Failure.UNKNOWN_CONTACT):
        create_no_contacts(shop).magic_auth("ada@gmail.com")
    shop.change_row(update(Organisation).values(magic_auth_creates=True))
    customer = shop.get(shop.magic_auth("ada@gmail.com", first_name="Ada"))
    assert (customer.email, customer.name) == ("ada@gmail.com", "Ada")
    assert shop.count(Contact) == 1


def test_the_identity_of_magic_auth_lasts_as_long_as_a_remembered_one(shop: Scene, clock: MovableClock) -> None:
    identity = shop.magic_auth()
    clock.advance(timedelta(days=6))
    assert shop.is_signed_in(identity)
    clock.advance(timedelta(days=7))
    assert not shop.is_signed_in(identity)


@pytest.mark.differs_on_postgresql
def test_parallel_calls_for_an_unknown_address_create_one_contact(shop: Scene) -> None:
    identities = in_parallel([partial(shop.magic_auth, first_name=f"Ada {number}") for number in range(8)])
    assert len({identity for identity in identities if isinstance(identity, str)}) == 8
    assert (shop.count(Contact), shop.count(Identity)) == (1, 8)
    [(first_name,)] = shop.rows(select(Contact.c.first_name))
    assert {shop.get(str(identity)).first_name for identity in identities} == {first_name}


def test_successful_magic_auth_is_not_counted(shop: Scene) -> None:
    shop = shop.with_rules(login_limit_account=parse_limit("2 per hour"), login_limit_network=parse_limit("2 per hour"))
    shop.add_guest()
    for _ in range(5):
        assert shop.via_api("192.0.2.77").magic_auth()


@pytest.mark.parametrize(("who", "failure"), ALWAYS_REFUSED)
def test_refused_magic_auth_is_limited_by_address(shop: Scene, who: Callable[[Scene], None], failure: Failure) -> None:
    who(shop)
    shop = shop.with_rules(login_limit_account=parse_limit("2 per hour"))
    for _ in range(2):
        with refused(failure):
            shop.magic_auth()
    with refused(Failure.TOO_MANY_LOGINS) as refusal:
        shop.magic_auth()
    assert refusal.value.retry_after
    assert shop.is_signed_in(shop.magic_auth("eve@example.com"))


def test_new_contacts_are_limited_by_the_network_that_the_shop_names(shop: Scene) -> None:
    shop = shop.with_rules(login_limit_network=parse_limit("2 per hour"))
    for number in range(4):
        assert shop.magic_auth(f"ada{number}@example.com")
    given = shop.via_api("192.0.2.77")
    for number in range(4, 6):
        assert given.magic_auth(f"ada{number}@example.com")
    with refused(Failure.TOO_MANY_LOGINS):
        given.magic_auth("ada6@example.com")
    with refused(Failure.TOO_MANY_LOGINS):  # while an address is blocked, known devices wait, too, as at the login
        given.magic_auth("ada0@example.com")
    assert shop.count(Contact) == 6


def test_wrong_passwords_and_magic_auth_have_separate_rate_limits(shop: Scene) -> None:
    shop.join()
    shop = shop.with_rules(login_limit_account=parse_limit("2 per hour")).via_api("192.0.2.77")
    shop.fail_to_log_in(times=3)
    assert shop.is_signed_in(shop.magic_auth())
    shop.ban()
    for _ in range(3):
        with pytest.raises(Refused):
            shop.magic_auth()
    with refused(Failure.TOO_MANY_LOGINS):
        shop.log_in(ADA, PASSWORD)
    shop.elsewhere("198.51.100.9").register("eve@example.com", SECOND_PASSWORD)
