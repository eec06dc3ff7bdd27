"""The host where an organisation's passkeys work; never an IP address."""

import pytest

from portal.domain.organisations import Organisation
from portal.domain.relying_party import NoPasskeys, RelyingParty, find_relying_party

DEFAULT = Organisation(1, "default", "Example shop", frame_ancestors=("https://shop.example.com",))


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://portal.example.com", "portal.example.com"),
        ("https://portal.example.com:8443", "portal.example.com"),
        ("https://xn--kda4b0koi.example.com", "xn--kda4b0koi.example.com"),
        ("http://localhost:5000", "localhost"),
        ("http://shop.localhost:5000", "shop.localhost"),
    ],
)
def test_it_is_the_host_of_the_portal(base_url: str, host: str) -> None:
    expected = RelyingParty(host, "Example shop", base_url, ("https://shop.example.com",))
    assert find_relying_party(DEFAULT, base_url) == expected


def test_an_organisation_with_a_host_of_its_own_has_its_own() -> None:
    shop = Organisation(2, "shop", "Shop", hostname="login.shop.example")
    assert find_relying_party(shop, "https://portal.example.com:8443") == RelyingParty(
        "login.shop.example", "Shop", "https://login.shop.example:8443", ()
    )


@pytest.mark.parametrize(
    ("base_url", "reason"),
    [
        ("http://127.0.0.1:5000", NoPasskeys.IP_ADDRESS),
        ("https://192.0.2.1", NoPasskeys.IP_ADDRESS),
        ("https://[2001:db8::1]:8443", NoPasskeys.IP_ADDRESS),
        ("http://portal.example.com", NoPasskeys.NOT_SECURE),
        ("http://notlocalhost", NoPasskeys.NOT_SECURE),
    ],
)
def test_browsers_allow_none_at_an_ip_address_or_without_https(base_url: str, reason: NoPasskeys) -> None:
    assert find_relying_party(DEFAULT, base_url) is reason
