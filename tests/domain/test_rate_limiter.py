"""Attempts are limited per address and per network, before the work, and over any time."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from limits import parse as parse_limit
from sqlalchemy import select

from portal.domain.errors import Busy, Failure, Refused
from portal.domain.passwords.hashing import Hasher, Parameters
from portal.storage.models import Contact
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel, wait_until
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, refused
from tests.passing_time import passing_time

EVE = "eve@example.com"


def tries_left(scene: Scene, email: str = ADA) -> int:
    """Count the wrong passwords that are checked from new networks before the address is blocked."""
    elsewhere = scene.elsewhere("198.51.100.77")
    left = 0
    while True:
        try:
            elsewhere.log_in(email, WRONG_PASSWORD)
        except Refused as refusal:
            if refusal.failure is Failure.TOO_MANY_LOGINS:
                return left
        left += 1


@pytest.mark.parametrize("known", [True, False])
def test_ten_wrong_passwords_block_an_address_whether_known_or_not(
    scene: Scene, hashes: HashCounter, known: bool
) -> None:
    if known:
        scene.join()
    scene.fail_to_log_in(times=10)
    before = hashes.computed
    with refused(Failure.TOO_MANY_LOGINS) as refusal:
        scene.log_in(ADA, WRONG_PASSWORD)
    assert refusal.value.retry_after is not None
    assert 0 < refusal.value.retry_after <= 20 * 60
    with refused(Failure.TOO_MANY_LOGINS):
        scene.elsewhere("203.0.113.5").log_in(ADA, PASSWORD)
    assert hashes.computed == before


def test_the_block_ends_with_its_window(scene: Scene) -> None:
    scene.join()
    with passing_time(1_800_000_000) as travel:
        scene.fail_to_log_in(times=11)
        travel.shift(20 * 60 - 1)
        with refused(Failure.TOO_MANY_LOGINS) as refusal:
            scene.log_in()
        assert refusal.value.retry_after == 1
        travel.shift(1)
        assert scene.log_in()


@pytest.mark.differs_on_postgresql
def test_an_attempt_is_counted_before_hashing(scene: Scene, hashes: HashCounter) -> None:
    scene.join()
    before = hashes.computed
    places = [scene.elsewhere(f"198.51.100.{number}") for number in range(60)]
    outcomes = in_parallel([partial(place.log_in, ADA, WRONG_PASSWORD) for place in places])
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
    assert failures.count(Failure.WRONG_PASSWORD) == 10
    assert failures.count(Failure.TOO_MANY_LOGINS) == 50
    assert hashes.computed == before + 10


def test_a_success_gives_back_its_own_attempt_only(scene: Scene) -> None:
    scene.join()
    scene.fail_to_log_in(times=4)
    for _ in range(20):
        scene.log_in()
    assert tries_left(scene) == 6


def test_a_success_clears_no_attempts_on_other_accounts(scene: Scene) -> None:
    scene.join()
    scene.join(EVE)
    for _ in range(9):
        scene.fail_to_log_in(ADA)
        scene.log_in(EVE)
    assert tries_left(scene) == 1


def test_another_spelling_of_the_address_shares_the_counter(scene: Scene) -> None:
    spellings = ["ada@gmail.com", "ADA@gmail.com", "a.da@gmail.com", "ada+x@gmail.com", "ada@googlemail.com"]
    for spelling in spellings * 2:
        scene.fail_to_log_in(spelling)
    with refused(Failure.TOO_MANY_LOGINS):
        scene.log_in("a.d.a+other@GoogleMail.com", WRONG_PASSWORD)


def test_another_spelling_of_the_network_shares_the_counter(scene: Scene) -> None:
    scene = scene.with_rules(login_limit_network=parse_limit("3 per hour"))
    places = ["2001:db8:1:2::1", "2001:DB8:1:2::ffff", "2001:db8:0001:0002:9:9:9:9"]
    for number, ip in enumerate(places):
        scene.elsewhere(ip).fail_to_log_in(f"nobody{number}@example.com")
    with refused(Failure.TOO_MANY_LOGINS):
        scene.elsewhere("2001:db8:1:2:aaaa::").log_in("nobody@example.com", WRONG_PASSWORD)
    with refused(Failure.UNKNOWN_CONTACT):
        scene.elsewhere("2001:db8:1:3::1").log_in("nobody@example.com", WRONG_PASSWORD)


def test_a_blocked_network_cannot_use_up_the_attempts_of_an_address(scene: Scene) -> None:
    scene = scene.with_rules(login_limit_network=parse_limit("5 per hour"))
    scene.join()
    scene.fail_to_log_in("nobody@example.com", times=5)
    for _ in range(30):
        with refused(Failure.TOO_MANY_LOGINS):
            scene.log_in(ADA, WRONG_PASSWORD)
    assert tries_left(scene.with_rules(login_limit_network=parse_limit("1000 per hour"))) == 10


def test_organisations_have_separate_counters(scene: Scene) -> None:
    scene.fail_to_log_in(times=10)
    with refused(Failure.UNKNOWN_CONTACT):
        scene.at_another_organisation().log_in(ADA, WRONG_PASSWORD)


def test_an_attempt_refused_as_busy_is_not_counted(scene: Scene, hashes: HashCounter) -> None:
    scene.join()
    hasher = Hasher(Parameters(1, 8, 1), parallel=1, max_queued=0)
    scene = replace(scene, context=replace(scene.context, hasher=hasher))
    hashes.gate.clear()
    held = hasher._pool.submit(hashes.gate.wait)
    hasher._admitted = hasher._capacity
    for _ in range(30):
        with pytest.raises(Busy):
            scene.log_in(ADA, WRONG_PASSWORD)
    hasher._admitted = 0
    hashes.gate.set()
    wait_until(held.done)
    assert tries_left(scene) == 10


def test_100_wrong_passwords_in_a_row_lock_the_password_however_slow(
    scene: Scene, clock: MovableClock, hashes: HashCounter
) -> None:
    scene.join()
    with passing_time(1_800_000_000) as travel:
        for _ in range(25):
            scene.fail_to_log_in(times=4)
            travel.shift(timedelta(days=3))
            clock.advance(timedelta(days=3))
        before = hashes.computed
        with refused(Failure.PASSWORD_LOCKED):
            scene.log_in()
        assert hashes.computed == before + 1
        scene.reset(scene.ask_reset())
        assert scene.log_in(password=SECOND_PASSWORD)


def test_99_wrong_passwords_lock_nothing_and_the_right_one_resets_the_count(scene: Scene) -> None:
    scene = scene.without_limits()
    scene.join()
    for _ in range(2):
        scene.fail_to_log_in(times=99)
        assert scene.log_in()
    assert scene.rows(select(Contact.c.failed_passwords))[0][0] == 0


def test_wrong_passwords_from_many_networks_lock_the_password_too(scene: Scene) -> None:
    scene = scene.with_rules(login_limit_account=parse_limit("1000 per hour"))
    scene.join()
    for number in range(100):
        scene.elsewhere(f"198.51.100.{number}").fail_to_log_in()
    for number in range(20):
        with refused(Failure.PASSWORD_LOCKED):
            scene.elsewhere(f"203.0.113.{number}").log_in()


def test_counters_do_not_reveal_a_locked_password(scene: Scene) -> None:
    """Otherwise 100 wrong attempts would be no limit: an attacker would see which attempt was not counted."""
    scene.without_limits().join()
    scene.without_limits().fail_to_log_in(times=100)
    for _ in range(10):
        with refused(Failure.PASSWORD_LOCKED):
            scene.log_in()
    with refused(Failure.TOO_MANY_LOGINS):
        scene.log_in()


def test_a_locked_password_costs_the_same_work_right_or_wrong(scene: Scene, hashes: HashCounter) -> None:
    scene = scene.without_limits()
    scene.join()
    scene.fail_to_log_in(times=100)
    dearer = replace(scene, context=replace(scene.context, hasher=Hasher(Parameters(2, 8, 1))))
    for password in (PASSWORD, WRONG_PASSWORD):
        before = hashes.computed
        with refused(Failure.PASSWORD_LOCKED):
            dearer.log_in(ADA, password)
        assert hashes.computed == before + 1


def test_a_successful_reset_is_not_counted(scene: Scene) -> None:
    roomy = parse_limit("1000 per hour")
    scene = scene.with_rules(mail_limit_address=roomy, mail_limit_network=roomy)
    scene.join()
    for number in range(12):
        scene.reset(scene.ask_reset(), f"{SECOND_PASSWORD} {number}")


def test_while_the_login_is_blocked_the_owner_can_sign_in_by_email(scene: Scene) -> None:
    scene.join()
    scene.fail_to_log_in(times=15)
    scene.reset(scene.ask_reset())
    with time_machine.travel(timedelta(minutes=21)):
        assert scene.log_in(password=SECOND_PASSWORD)
