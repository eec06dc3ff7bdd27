"""What counts as one place."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.context import Visitor, network_of


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.2", "192.0.2.2"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:DB8:0001:0002:0:0:0:1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:0201", "192.0.2.1"),
        ("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"),
        ("::1", "::/64"),
    ],
)
def test_an_address_counts_as_its_network(ip: str, network: str) -> None:
    assert network_of(ip) == network
    assert Visitor(organisation_id=1, ip=ip).network == network


@pytest.mark.parametrize(
    "ip",
    [
        None,
        "",
        "unknown",
        "localhost",
        "192.0.2.1:80",
        "192.0.2",
        "192.0.2.1, 192.0.2.2",
        "_hidden",
        pytest.param("1" * 5000, id="5000 digits"),
        "\x00",
    ],
)
def test_everything_unreadable_is_one_network(ip: str | None) -> None:
    assert network_of(ip) == "unknown"


def test_an_address_with_leading_zeros_is_unreadable_not_another_network() -> None:
    assert network_of("192.000.002.001") == "unknown"


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_no_choice_of_the_lower_half_leaves_the_network(address: IPv4Address | IPv6Address, lower: int) -> None:
    packed = int.from_bytes(address.packed) >> 64 << 64
    if packed == 0:  # where mapped IPv4 addresses live
        return
    spelled = ":".join(f"{(packed | lower) >> shift & 0xFFFF:04X}" for shift in range(112, -1, -16))
    assert network_of(spelled) == network_of(str(address))


@given(st.text())
def test_any_text_has_a_network(ip: str) -> None:
    assert network_of(ip)
