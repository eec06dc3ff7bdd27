"""A shop's customers have known networks in place of known devices."""

from contextlib import suppress
from dataclasses import replace

import pytest

from portal.domain.errors import Failure, Refused
from portal.domain.tokens import random_id
from tests.domain.devices.conftest import STRANGERS, spray
from tests.domain.instrumentation import statements_of
from tests.domain.scene import Scene, refused


class TestByApi:
    OWNERS = "203.0.113.5"

    @pytest.fixture
    def shop(self, scene: Scene) -> Scene:
        """Return a scene of a shop's server, whose customer has signed in from a network that it sends."""
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
