"""IP addresses in canonical form, and their networks."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.context import Visitor
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.ip_addresses import network_of, parse_customer_ip, read_ip


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
def test_all_invalid_addresses_count_as_one_network(ip: str | None) -> None:
    assert network_of(ip) == "unknown"


def test_an_address_with_leading_zeros_is_invalid() -> None:
    assert network_of("192.000.002.001") == "unknown"


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_the_lower_half_of_an_ipv6_address_does_not_change_its_network(
    address: IPv4Address | IPv6Address, lower: int
) -> None:
    packed = int.from_bytes(address.packed) >> 64 << 64
    if packed == 0:  # where mapped IPv4 addresses live
        return
    spelled = ":".join(f"{(packed | lower) >> shift & 0xFFFF:04X}" for shift in range(112, -1, -16))
    assert network_of(spelled) == network_of(str(address))


@given(st.text())
def test_any_text_has_a_network(ip: str) -> None:
    assert network_of(ip)


def test_an_ipv6_zone_is_ignored() -> None:
    assert read_ip("fe80::1%" + "e" * 100) == "fe80::1"


@pytest.mark.parametrize("ip", ["192.0.2.1", "2001:db8:1:2::1"])
def test_an_ip_given_by_a_shop_counts_as_its_network(ip: str) -> None:
    assert Visitor(organisation_id=1, ip=ip, via_api=True).network == network_of(ip)


def test_without_an_ip_from_the_shop_there_is_no_network() -> None:
    assert Visitor(organisation_id=1, ip=None, via_api=True).network is None
    assert Visitor(organisation_id=1, ip=None).network == "unknown"


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("1.1.1.1", "1.1.1.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("2001:4860:4860::8888", "2001:4860:4860::8888"),
        ("2001:4860:4860:0000:0:0:0:8888", "2001:4860:4860::8888"),
        ("2001:DB8::A", "2001:db8::a"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("127.0.0.2", "127.0.0.2"),
    ],
)
def test_an_ip_given_by_a_shop_has_one_canonical_form(text: str, ip: str) -> None:
    assert parse_customer_ip(text) == ip


NOT_KNOWN = ["", " ", "::1", "0.0.0.0", "localhost", "LOCALHOST", "127.0.0.1", "::ffff:127.0.0.1"]  # noqa: S104 - texts


@pytest.mark.parametrize("text", NOT_KNOWN)
def test_an_empty_ip_of_a_shop_is_none(text: str) -> None:
    assert parse_customer_ip(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "unknown",
        "1.1.1",
        "1.1.1.1.1",
        "256.1.1.1",
        "01.1.1.1",
        "1.1.1.1:80",
        "[::1]",
        "fe80::1%eth0",
        "1.1.1.1, 2.2.2.2",
    ],
)
def test_an_invalid_ip_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"192\.0\.2\.1"):
        parse_customer_ip(text)


@given(st.text())
def test_any_text_is_a_canonical_ip_or_refused(text: str) -> None:
    try:
        ip = parse_customer_ip(text)
    except InvalidValue:
        return
    assert ip is None or ip == read_ip(ip)
