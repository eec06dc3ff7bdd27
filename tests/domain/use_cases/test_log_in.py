"""Sign-in with a password: refusals and their order, and what a sign-in changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from limits import parse as parse_limit
from sqlalchemy import select

from portal.domain.errors import Failure
from portal.domain.passwords.hashing import Hasher, Parameters
from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.storage.models import Account, Identity
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, pending_registration, refused
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


def banned_customer_with_a_locked_password(scene: Scene) -> None:
    customer_with_a_locked_password(scene)
    scene.ban()


@pytest.mark.parametrize(
    ("who", "password", "failure"),
    [
        (unknown, PASSWORD, Failure.UNKNOWN_CONTACT),
        (guest, PASSWORD, Failure.NO_ACCOUNT),
        (guest_who_registers, WRONG_PASSWORD, Failure.NO_ACCOUNT),
        (guest_who_registers, PASSWORD, Failure.UNVERIFIED),
        (pending, WRONG_PASSWORD, Failure.WRONG_PASSWORD),
        (pending, PASSWORD, Failure.UNVERIFIED),
        (customer, WRONG_PASSWORD, Failure.WRONG_PASSWORD),
        (customer, "", Failure.WRONG_PASSWORD),
        (banned_customer, WRONG_PASSWORD, Failure.WRONG_PASSWORD),
        (banned_customer, PASSWORD, Failure.BANNED),
        (banned_guest, PASSWORD, Failure.NO_ACCOUNT),
        (banned_pending, PASSWORD, Failure.UNVERIFIED),
        (banned_pending, WRONG_PASSWORD, Failure.WRONG_PASSWORD),
        (customer_with_a_locked_password, WRONG_PASSWORD, Failure.PASSWORD_LOCKED),
        (customer_with_a_locked_password, PASSWORD, Failure.PASSWORD_LOCKED),
        (banned_customer_with_a_locked_password, PASSWORD, Failure.PASSWORD_LOCKED),
    ],
)
def test_reasons_for_a_refused_login_are_checked_in_the_documented_order(
    scene: Scene, who: Callable[[Scene], None], password: str, failure: Failure
) -> None:
    who(scene)
    identities = scene.count(Identity)
    with refused(failure):
        scene.log_in(ADA, password)
    assert scene.count(Identity) == identities


@pytest.mark.parametrize("who", [unknown, guest, pending, customer, banned_customer])
def test_a_login_over_the_rate_limit_is_refused_before_everything_else(
    scene: Scene, hashes: HashCounter, who: Callable[[Scene], None]
) -> None:
    who(scene)
    strict = scene.with_rules(login_limit_account=parse_limit("1 per hour"))
    strict.fail_to_log_in()
    before = hashes.computed
    with refused(Failure.TOO_MANY_LOGINS):
        strict.log_in()
    assert hashes.computed == before


def test_a_pending_registration_is_reported_only_with_its_password(scene: Scene) -> None:
    public_id = scene.register()
    with refused(Failure.UNVERIFIED) as refusal:
        scene.log_in()
    assert pending_registration(refusal) == public_id
    with refused(Failure.WRONG_PASSWORD) as refusal:
        scene.log_in(ADA, WRONG_PASSWORD)
    assert pending_registration(refusal) is None


def test_each_of_several_pending_registrations_is_found_by_its_own_password(scene: Scene) -> None:
    registered = {password: scene.register(ADA, password) for password in (PASSWORD, SECOND_PASSWORD)}
    for password, public_id in registered.items():
        with refused(Failure.UNVERIFIED) as refusal:
            scene.log_in(ADA, password)
        assert pending_registration(refusal) == public_id


def test_a_registration_is_pending_for_seven_days(scene: Scene, clock: MovableClock) -> None:
    scene.register()
    clock.advance(PENDING_LIFETIME - timedelta(seconds=1))
    with refused(Failure.UNVERIFIED):
        scene.log_in()
    clock.advance(timedelta(seconds=1))
    with refused(Failure.UNKNOWN_CONTACT):
        scene.log_in()


def test_a_customer_signs_in_by_any_spelling_of_the_address_and_the_password(scene: Scene) -> None:
    scene.join("a.da@gmail.com", "caf\u00e9 kettle harbour 9")
    identity = scene.log_in("ADA+shop@googlemail.com", "cafe\u0301 kettle harbour 9")
    assert scene.get(identity).email == "a.da@gmail.com"


def test_every_sign_in_creates_a_new_identity(scene: Scene) -> None:
    scene.join()
    first, second = scene.log_in(), scene.log_in()
    assert first != second
    assert scene.get(first).id == scene.get(second).id
    assert scene.get(first).identity_id != scene.get(second).identity_id


def test_signing_in_again_ends_the_previous_identity_of_the_browser(scene: Scene) -> None:
    elsewhere = scene.join()
    carried = scene.log_in()
    new = scene.log_in(replacing=carried)
    assert [scene.is_signed_in(one) for one in (carried, new, elsewhere)] == [False, True, True]


def test_an_invented_identity_is_not_adopted(scene: Scene) -> None:
    scene.join()
    invented = "A" * 32
    assert scene.log_in(replacing=invented) != invented
    assert not scene.is_signed_in(invented)


def test_signing_in_to_an_unconfirmed_address_is_refused(scene: Scene) -> None:
    scene.register()
    with refused(Failure.UNVERIFIED):
        scene.log_in()
    assert scene.count(Account) == 0
    assert scene.count(Identity) == 0


def test_a_password_does_not_expire_after_400_days(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    clock.advance(timedelta(days=400))
    assert scene.is_signed_in(scene.log_in())


def test_signing_in_rehashes_a_password_with_outdated_parameters(scene: Scene, hashes: HashCounter) -> None:
    scene.join()
    assert stored_hash(scene).startswith("$argon2id$v=19$m=8,t=1,p=1$")
    dearer = replace(scene, context=replace(scene.context, hasher=Hasher(Parameters(2, 16, 1))))
    assert hashes.during(dearer.log_in) == 2
    assert stored_hash(scene).startswith("$argon2id$v=19$m=16,t=2,p=1$")
    assert hashes.during(dearer.log_in) == 1


def test_a_wrong_password_rehashes_nothing(scene: Scene) -> None:
    scene.join()
    before = stored_hash(scene)
    dearer = replace(scene, context=replace(scene.context, hasher=Hasher(Parameters(2, 16, 1))))
    dearer.fail_to_log_in()
    assert stored_hash(scene) == before


def test_a_rehashed_password_is_still_refused_as_a_former_password(scene: Scene) -> None:
    scene.join()
    dearer = replace(scene, context=replace(scene.context, hasher=Hasher(Parameters(2, 16, 1))))
    dearer.log_in()
    with refused(Failure.PASSWORD_REUSED):
        dearer.reset(dearer.ask_reset(), PASSWORD)


def test_a_customer_banned_while_the_password_is_checked_is_refused(scene: Scene, hashes: HashCounter) -> None:
    scene.join()

    def ban_meanwhile(*arguments: object, **options: object) -> bytes:
        scene.ban()
        return hashes_then(*arguments, **options)

    hashes_then, hashes._hash_secret = hashes._hash_secret, ban_meanwhile
    with refused(Failure.BANNED):
        scene.log_in()
    assert scene.rows(select(Identity).where(Identity.c.ended_at.is_(None))) == []


def test_a_password_changed_while_it_is_checked_is_refused(scene: Scene, hashes: HashCounter) -> None:
    scene.join()
    token = scene.ask_reset()

    def reset_meanwhile(*arguments: object, **options: object) -> bytes:
        hashes._hash_secret = hashes_then
        scene.reset(token)
        return hashes_then(*arguments, **options)

    hashes_then, hashes._hash_secret = hashes._hash_secret, reset_meanwhile
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in()
    assert scene.rows(select(Identity).where(Identity.c.ended_at.is_(None))) == []


def stored_hash(scene: Scene) -> str:
    return str(scene.rows(select(Account.c.password_hash))[0][0])
