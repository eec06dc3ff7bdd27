"""A device that a customer signed in with before has its own limits: an attacker cannot lock the customer out of it."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from limits import parse as parse_limit
from sqlalchemy import delete, update

from portal.domain.errors import Failure, Refused
from portal.domain.outbox import Notice
from portal.storage.models import Contact, Device
from tests.domain.devices.conftest import EVE, ROOMY, STRANGERS, counts, reset, sign_in_by_link, spray
from tests.domain.instrumentation import HashCounter, in_parallel
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, refused


class TestPasswords:
    def test_wrong_passwords_elsewhere_do_not_lock_out_the_owner(self, owner: Scene) -> None:
        spray(owner)
        assert owner.log_in()
        with refused(Failure.TOO_MANY_LOGINS):
            owner.in_browser(None).log_in()

    def test_wrong_passwords_in_the_same_network_do_not_lock_out_a_known_device(self, owner: Scene) -> None:
        owner = owner.with_rules(login_limit_network=parse_limit("3 per hour"))
        owner.in_browser(None).fail_to_log_in("nobody@example.com", times=4)
        assert owner.log_in()
        with refused(Failure.TOO_MANY_LOGINS):
            owner.in_browser(None).log_in()

    def test_a_known_device_has_its_own_counter_with_the_same_limit(self, owner: Scene, hashes: HashCounter) -> None:
        owner.fail_to_log_in(times=10)
        before = hashes.computed
        with refused(Failure.TOO_MANY_LOGINS) as refusal:
            owner.elsewhere(STRANGERS).log_in()
        assert refusal.value.retry_after is not None
        assert hashes.computed == before
        assert owner.in_browser(None).log_in(), "strangers have theirs"

    @pytest.mark.differs_on_postgresql
    def test_an_attempt_on_a_device_is_counted_before_hashing(self, owner: Scene, hashes: HashCounter) -> None:
        before = hashes.computed
        outcomes = in_parallel([lambda: owner.log_in(ADA, WRONG_PASSWORD)] * 60)
        failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
        assert (failures.count(Failure.WRONG_PASSWORD), failures.count(Failure.TOO_MANY_LOGINS)) == (10, 50)
        assert hashes.computed == before + 10

    def test_100_wrong_passwords_elsewhere_do_not_lock_the_password_on_a_known_device(self, owner: Scene) -> None:
        owner = owner.without_limits()
        spray(owner, 100)
        for _ in range(2):
            with refused(Failure.PASSWORD_LOCKED):
                owner.in_browser(None).log_in()
            assert owner.log_in()
        assert counts(owner)[1] == [0]

    def test_100_wrong_passwords_on_a_known_device_lock_the_password_there_only(
        self, owner: Scene, hashes: HashCounter
    ) -> None:
        owner = owner.without_limits()
        owner.fail_to_log_in(times=99)
        assert owner.log_in()
        owner.fail_to_log_in(times=100)
        for password in (PASSWORD, WRONG_PASSWORD):
            before = hashes.computed
            with refused(Failure.PASSWORD_LOCKED):
                owner.log_in(ADA, password)
            assert hashes.computed == before + 1
        assert owner.in_browser(None).log_in()
        assert counts(owner) == (0, [102])

    @pytest.mark.parametrize("prove", [sign_in_by_link, reset])
    def test_a_mailbox_proof_unlocks_the_password_everywhere(
        self, owner: Scene, prove: Callable[[Scene], object]
    ) -> None:
        owner.join(EVE)
        other = owner.in_known_browser(EVE)
        second = owner.in_browser(None).in_known_browser()
        owner.change_row(update(Contact).values(failed_passwords=100))
        owner.change_row(update(Device).values(failed_passwords=100))
        prove(owner.in_browser(None))
        password = SECOND_PASSWORD if prove is reset else PASSWORD
        for browser in (owner, second, owner.in_browser(None)):
            assert browser.log_in(password=password)
        with refused(Failure.PASSWORD_LOCKED):
            other.log_in(EVE)

    def test_attempts_on_and_off_a_known_device_are_counted_separately(self, owner: Scene) -> None:
        owner = owner.without_limits()
        stranger = owner.in_browser(None)
        stranger.fail_to_log_in(times=3)
        owner.fail_to_log_in(times=2)
        assert counts(owner) == (3, [2])
        owner.log_in()
        assert counts(owner) == (3, [0])
        owner.fail_to_log_in(times=2)
        stranger.log_in()
        assert counts(owner) == (0, [2])

    def test_a_reset_unlocks_the_password_on_the_device_at_once(self, owner: Scene) -> None:
        owner.fail_to_log_in(times=11)
        reset(owner)
        assert owner.log_in(password=SECOND_PASSWORD)

    def test_a_lock_that_begins_while_the_password_is_checked_applies(self, owner: Scene, hashes: HashCounter) -> None:
        def close_meanwhile(*arguments: object, **options: object) -> bytes:
            owner.change_row(update(Device).values(failed_passwords=100))
            return hashes_then(*arguments, **options)

        hashes_then, hashes._hash_secret = hashes._hash_secret, close_meanwhile
        with refused(Failure.PASSWORD_LOCKED):
            owner.log_in()

    def test_a_device_deleted_while_the_password_is_checked_is_unknown(self, owner: Scene, hashes: HashCounter) -> None:
        def forget_meanwhile(*arguments: object, **options: object) -> bytes:
            owner.change_row(delete(Device))
            owner.change_row(update(Contact).values(failed_passwords=100))
            return hashes_then(*arguments, **options)

        hashes_then, hashes._hash_secret = hashes._hash_secret, forget_meanwhile
        with refused(Failure.PASSWORD_LOCKED):
            owner.log_in()

    def test_a_wrong_current_password_is_counted_on_the_device(self, owner: Scene) -> None:
        identity = owner.log_in()
        spray(owner.with_rules(login_limit_account=ROOMY), 100)
        spray(owner)
        for _ in range(4):
            with refused(Failure.WRONG_PASSWORD):
                owner.change(identity, WRONG_PASSWORD, SECOND_PASSWORD)
        assert counts(owner)[1] == [4]
        owner.fail_to_log_in(times=5)
        identity = owner.change(identity, PASSWORD, SECOND_PASSWORD)
        assert counts(owner) == (110, [0])
        with refused(Failure.WRONG_PASSWORD):
            owner.change(identity, WRONG_PASSWORD, "pebble anvil saffron 28")
        with refused(Failure.TOO_MANY_LOGINS):
            owner.change(identity, SECOND_PASSWORD, "pebble anvil saffron 28")

    def test_a_wrong_password_at_confirmation_is_counted_on_the_device(self, scene: Scene) -> None:
        scene.add_guest()
        browser = scene.in_browser(scene.remember(sign_in_by_link(scene)))
        scene.register()
        token = scene.token(Notice.VERIFY)
        spray(scene)
        for _ in range(9):
            with refused(Failure.WRONG_PASSWORD):
                browser.confirm(token, password=WRONG_PASSWORD)
        assert counts(scene)[1] == [9]
        assert browser.confirm(token, password=PASSWORD)
        assert counts(scene) == (0, [0])


class TestEmailLimits:
    @pytest.mark.parametrize("ask", [sign_in_by_link, Scene.ask_reset])
    def test_emails_asked_for_elsewhere_do_not_use_up_the_limit_of_a_known_device(
        self, owner: Scene, ask: Callable[[Scene], object]
    ) -> None:
        for number in range(7):
            with suppress(Refused):
                owner.in_browser(None).elsewhere(f"198.51.100.{number}").request_reset()
        for _ in range(5):
            ask(owner)
        with refused(Failure.TOO_MANY_MAILS):
            ask(owner)

    def test_emails_asked_for_on_a_known_device_do_not_use_up_the_limit_elsewhere(self, owner: Scene) -> None:
        for _ in range(5):
            owner.request_reset()
        for _ in range(5):
            owner.in_browser(None).request_reset()

    def test_a_network_over_its_limit_does_not_block_a_known_device(self, owner: Scene) -> None:
        owner = owner.with_rules(mail_limit_network=parse_limit("2 per hour"))
        for number in range(2):
            owner.in_browser(None).request_reset(f"nobody{number}@example.com")
        with refused(Failure.TOO_MANY_MAILS):
            owner.in_browser(None).request_reset()
        owner.request_reset()
