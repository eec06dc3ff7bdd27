"""Which devices are known, and for how long."""

from datetime import timedelta
from functools import partial

import pytest
from limits import parse as parse_limit
from sqlalchemy import select, update

from portal.domain import devices
from portal.domain.devices import LIFETIME, MAX_PER_CONTACT
from portal.domain.errors import Failure
from portal.domain.operations.retention import purge
from portal.domain.tokens import digest_of, random_id
from portal.storage.backends import DatabaseUnavailable
from portal.storage.models import Contact, Device
from tests.conftest import MovableClock
from tests.domain.devices.conftest import EVE, ROOMY, spray
from tests.domain.instrumentation import in_parallel, statements_of
from tests.domain.scene import ADA, Scene, refused


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
        assert owner.rows(select(Device.c.id).where(Device.c.digest == digest_of(planted))) == []

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

    def test_a_session_that_has_ended_meanwhile_makes_no_device_known(self, owner: Scene) -> None:
        """Otherwise an attacker's browser would be trusted after "This wasn't me"."""
        attacker = owner.in_browser(None)
        identity = attacker.log_in()
        owner.log_out(identity)
        before = owner.rows(select(Device.c.digest, Device.c.trusted_until))
        for trust in (False, True):
            assert devices.remember_device(attacker.context, attacker.visitor, identity, trust=trust) is None
        assert owner.rows(select(Device.c.digest, Device.c.trusted_until)) == before

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
        assert owner.rows(select(Device.c.digest)) == [(digest_of(value),)]
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
        assert owner.rows(select(Device.c.seen_at)) == [(clock.now,)]

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
        values = in_parallel([partial(owner.remember, one) for one in identities])
        spray(owner, email=EVE)
        for value in values:
            assert owner.in_browser(str(value)).log_in(EVE)
        assert owner.count(Device) <= 9

    @pytest.mark.differs_on_postgresql
    def test_parallel_sign_ins_in_tabs_of_a_known_device_create_no_row(self, owner: Scene) -> None:
        identities = [owner.log_in() for _ in range(8)]
        values = in_parallel([partial(owner.remember, one) for one in identities])
        assert set(values) == {owner.visitor.device}
        assert owner.count(Device) == 1
