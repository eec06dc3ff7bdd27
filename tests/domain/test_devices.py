"""A device that a customer signed in with before has limits of its own: no stranger keeps the owner out of it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from limits import parse as parse_limit
from sqlalchemy import delete, select, update

from portal.domain import devices
from portal.domain.devices import LIFETIME, MAX_PER_CONTACT
from portal.domain.errors import Failure, Refused
from portal.domain.operations.retention import purge
from portal.domain.outbox import Notice
from portal.domain.tokens import digest_of, random_id
from portal.domain.use_cases.log_in_by_email import get_sign_in_link, log_in_by_email, request_sign_in
from portal.domain.values.email import parse_email
from portal.storage.backends import DatabaseUnavailable
from portal.storage.models import Contact, Device
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel, statements_of
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, identity_of, refused

EVE = "eve@example.com"
STRANGERS = "198.51.100.7"
ROOMY = parse_limit("100000 per hour")


def spray(scene: Scene, times: int = 15, email: str = ADA) -> None:
    """Wrong passwords from all over the world."""
    for number in range(times):
        scene.in_browser(None).elsewhere(f"198.51.100.{number % 250}").fail_to_log_in(email)


def sign_in_by_link(scene: Scene, email: str = ADA) -> str:
    request_sign_in(scene.context, scene.visitor, parse_email(email))
    link = get_sign_in_link(scene.context, scene.visitor, scene.token(Notice.SIGN_IN))
    return identity_of(log_in_by_email(scene.context, scene.visitor, link, remember=False, replacing=None).sign_in)


def reset(scene: Scene) -> None:
    scene.reset(scene.ask_reset())


def counts(scene: Scene) -> tuple[int, list[int]]:
    """Wrong passwords in a row: of strangers, and of each device, the oldest first."""
    ((of_strangers,),) = scene.rows(select(Contact.failed_passwords).where(Contact.email == ADA))
    return of_strangers, [count for (count,) in scene.rows(select(Device.failed_passwords).order_by(Device.id))]


@pytest.fixture
def owner(scene: Scene) -> Scene:
    """The browser in which a customer signed in."""
    scene.join()
    return scene.in_known_browser()


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


class TestKnownDevices:
    def test_a_forged_cookie_gains_nothing(self, owner: Scene) -> None:
        spray(owner)
        for device in (random_id(), "", owner.visitor.device and owner.visitor.device[::-1]):
            with refused(Failure.TOO_MANY_LOGINS):
                owner.in_browser(device).log_in()

    def test_a_device_cookie_of_another_customer_gains_nothing(self, owner: Scene) -> None:
        owner.join(EVE)
        eve = owner.in_browser(None).in_known_browser(EVE)
        spray(owner)
        with refused(Failure.TOO_MANY_LOGINS):
            eve.log_in()
        owner.change_row(update(Contact).values(failed_passwords=100))
        with refused(Failure.PASSWORD_LOCKED):
            eve.with_rules(login_limit_account=ROOMY).log_in()

    def test_a_device_cookie_of_another_organisation_gains_nothing(self, owner: Scene) -> None:
        second = owner.at_another_organisation()
        second.in_browser(None).join()
        spray(second)
        with refused(Failure.TOO_MANY_LOGINS):
            second.log_in()
        assert second.remember(second.with_rules(login_limit_account=ROOMY).log_in()) != owner.visitor.device

    def test_an_invented_device_cookie_is_replaced(self, owner: Scene) -> None:
        planted = random_id()
        victim = owner.in_browser(planted)
        given = victim.remember(victim.log_in())
        assert given is not None
        assert devices.is_cookie(given)
        assert given != planted
        assert owner.rows(select(Device.id).where(Device.digest == digest_of(planted))) == []

    def test_a_known_device_cookie_is_not_replaced(self, owner: Scene) -> None:
        for _ in range(3):
            assert owner.remember(owner.log_in()) == owner.visitor.device
        assert owner.count(Device) == 1

    def test_two_customers_of_one_browser_share_a_device_cookie(self, owner: Scene) -> None:
        owner.join(EVE)
        value = owner.remember(owner.log_in(EVE))
        assert value not in (None, owner.visitor.device)
        both = owner.in_browser(value)
        spray(both)
        spray(both, email=EVE)
        assert both.log_in()
        assert both.log_in(EVE)
        both.fail_to_log_in(ADA, times=10)
        assert both.log_in(EVE), "each has a counter of their own"
        assert both.count(Device) == 2

    def test_a_device_cookie_copied_before_another_customer_signed_in_is_unknown(self, owner: Scene) -> None:
        owner.join(EVE)
        owner.remember(owner.log_in(EVE))
        spray(owner)
        spray(owner, email=EVE)
        for email in (ADA, EVE):
            with refused(Failure.TOO_MANY_LOGINS):
                owner.log_in(email)

    def test_a_failed_sign_in_makes_no_device_known(self, owner: Scene) -> None:
        assert owner.remember(random_id()) is None
        assert owner.count(Device) == 1

    def test_a_sign_in_does_not_fail_because_the_device_cannot_be_stored(
        self, owner: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object) -> None:
            raise DatabaseUnavailable("full")

        stranger = owner.in_browser(None)
        identity = stranger.log_in()
        monkeypatch.setattr(devices, "_store", away)
        assert stranger.remember(identity) is None

    def test_the_device_cookie_is_stored_as_a_digest_and_never_shown(self, owner: Scene) -> None:
        value = owner.visitor.device
        assert value is not None
        assert owner.rows(select(Device.digest)) == [(digest_of(value),)]
        assert value not in repr(owner.visitor)

    @pytest.mark.parametrize(
        "text", ["", "a" * 31, "a" * 33, "a" * 31 + "-", "a" * 31 + "\n", "é" * 32, "network 192.0.2.1"]
    )
    def test_a_malformed_device_cookie_is_ignored(self, text: str) -> None:
        assert not devices.is_cookie(text)


class TestLifetime:
    def test_a_device_is_forgotten_a_year_after_the_last_sign_in(self, owner: Scene, clock: MovableClock) -> None:
        clock.advance(LIFETIME - timedelta(days=2))
        assert owner.remember(owner.log_in()) == owner.visitor.device
        spray(owner)
        clock.advance(LIFETIME - timedelta(seconds=1))
        purge(owner.context)
        assert owner.log_in()
        clock.advance(timedelta(seconds=1))
        with refused(Failure.TOO_MANY_LOGINS):
            owner.log_in()
        assert purge(owner.context)["device"] == 1
        assert owner.count(Device) == 0

    def test_an_expired_device_that_is_not_yet_deleted_is_unknown(self, owner: Scene, clock: MovableClock) -> None:
        clock.advance(LIFETIME)
        owner.join(EVE)
        assert owner.remember(owner.log_in(EVE)) != owner.visitor.device

    def test_the_last_use_of_a_device_is_written_once_a_day(self, owner: Scene, clock: MovableClock) -> None:
        clock.advance(timedelta(days=1) - timedelta(seconds=1))
        with statements_of(owner.context.database.engine) as statements:
            owner.remember(owner.log_in())
        assert [statement for statement in statements if statement.startswith("UPDATE device SET seen_at")] == []
        clock.advance(timedelta(seconds=1))
        owner.remember(owner.log_in())
        assert owner.rows(select(Device.seen_at)) == [(clock.now,)]

    def test_the_50_most_recently_used_devices_of_a_customer_are_known(self, owner: Scene, clock: MovableClock) -> None:
        owner = owner.without_limits()
        owner.join(EVE)
        owner.in_browser(None).in_known_browser(EVE)
        first = owner.in_browser(None).in_known_browser()
        clock.advance(timedelta(days=1))
        owner.remember(owner.log_in())
        for _ in range(MAX_PER_CONTACT - 1):
            clock.advance(timedelta(seconds=1))
            stranger = owner.in_browser(None)
            stranger.remember(stranger.log_in())
        assert owner.count(Device) == MAX_PER_CONTACT + 1
        limited = parse_limit("10 per hour")
        spray(owner.with_rules(login_limit_account=limited))
        assert owner.with_rules(login_limit_account=limited).log_in()
        with refused(Failure.TOO_MANY_LOGINS):
            first.with_rules(login_limit_account=limited).log_in()

    @pytest.mark.differs_on_postgresql
    def test_parallel_sign_ins_in_tabs_leave_the_device_known_whichever_answers_last(self, owner: Scene) -> None:
        owner.join(EVE)
        identities = [owner.log_in(EVE) for _ in range(8)]
        values = in_parallel([lambda one=one: owner.remember(one) for one in identities])  # type: ignore[misc]
        spray(owner, email=EVE)
        for value in values:
            assert owner.in_browser(str(value)).log_in(EVE)
        assert owner.count(Device) <= 9

    @pytest.mark.differs_on_postgresql
    def test_parallel_sign_ins_in_tabs_of_a_known_device_create_no_row(self, owner: Scene) -> None:
        identities = [owner.log_in() for _ in range(8)]
        values = in_parallel([lambda one=one: owner.remember(one) for one in identities])  # type: ignore[misc]
        assert set(values) == {owner.visitor.device}
        assert owner.count(Device) == 1


class TestByApi:
    OWNERS = "203.0.113.5"

    @pytest.fixture
    def shop(self, scene: Scene) -> Scene:
        """A shop whose customer signed in from a network that it names."""
        scene.join()
        shop = scene.via_api(self.OWNERS)
        assert shop.remember(shop.log_in()) is None
        return shop

    def test_wrong_passwords_elsewhere_do_not_lock_out_the_owner(self, shop: Scene) -> None:
        spray(shop)
        assert shop.log_in()
        for elsewhere in (shop.via_api(STRANGERS), shop.via_api()):
            with refused(Failure.TOO_MANY_LOGINS):
                elsewhere.log_in()

    def test_a_known_network_has_its_own_counters_with_the_same_limits(self, shop: Scene) -> None:
        shop.fail_to_log_in(times=10)
        with refused(Failure.TOO_MANY_LOGINS):
            shop.log_in()
        assert shop.via_api(STRANGERS).log_in()
        for number in range(6):
            with suppress(Refused):
                shop.via_api(f"198.51.100.{number}").request_reset()
        shop.request_reset()

    def test_the_network_is_known_not_the_single_address(self, scene: Scene) -> None:
        scene.join()
        shop = scene.via_api("2001:db8:1:2::1")
        shop.remember(shop.log_in())
        spray(shop)
        assert shop.via_api("2001:db8:1:2:9::9").log_in()
        with refused(Failure.TOO_MANY_LOGINS):
            shop.via_api("2001:db8:1:3::1").log_in()

    def test_a_sign_in_without_a_network_makes_none_known(self, scene: Scene) -> None:
        scene.join()
        shop = scene.via_api()
        with statements_of(scene.context.database.engine) as statements:
            assert shop.remember(random_id()) is None
        assert statements == []

    def test_a_browser_in_a_known_network_is_an_unknown_device(self, shop: Scene) -> None:
        spray(shop)
        with refused(Failure.TOO_MANY_LOGINS):
            replace(shop, visitor=replace(shop.visitor, via_api=False)).log_in()
