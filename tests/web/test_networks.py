"""The address of a request: headers count only if a trusted proxy has written them."""

from typing import Any

import pytest

from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site, Start

SPOOFED = (
    "X-Forwarded-For",
    "X-Real-IP",
    "Forwarded",
    "Client-IP",
    "X-Client-IP",
    "CF-Connecting-IP",
    "True-Client-IP",
)
LIMIT = {"LOGIN_LIMIT_NETWORK": "3 per 20 minutes"}


def try_login(site: Site, number: int, headers: dict[str, str], address: str = "203.0.113.5") -> Page:
    browser = site.browser(address)
    form = browser.open("/login").form()
    return browser.post(form, {"email": f"a{number}@example.com", "password": "wrong"}, headers=headers)


def ips(site: Site) -> list[Any]:
    return [row["ip"] for row in site.rows()["event"]]


def test_without_a_proxy_no_header_makes_another_network(start: Start) -> None:
    site = start(**LIMIT)
    pages = []
    for number in range(5):
        value = f"198.51.100.{number}"
        headers = {name: f"for={value}" if name == "Forwarded" else value for name in SPOOFED}
        pages.append(try_login(site, number, headers).status)

    assert pages == [422] * 3 + [429] * 2
    assert set(ips(site)) == {"203.0.113.5"}


def test_behind_one_proxy_the_last_address_counts_and_what_the_client_wrote_does_not(start: Start) -> None:
    site = start(TRUSTED_PROXIES="1", **LIMIT)
    pages = [
        try_login(site, n, {"X-Forwarded-For": f"198.51.100.{n}, 10.0.0.{n}, 192.0.2.77", "X-Real-IP": f"10.1.1.{n}"})
        for n in range(4)
    ]

    assert [page.status for page in pages] == [422] * 3 + [429]
    assert set(ips(site)) == {"192.0.2.77"}
    assert try_login(site, 9, {"X-Forwarded-For": "192.0.2.77, 192.0.2.78"}).status == 422


@pytest.mark.parametrize(
    ("forwarded", "ip"),
    [
        ("198.51.100.7:50001", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7:1", "198.51.100.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1:1,[2001:DB8::1]:50001", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_a_proxy_may_write_the_port_beside_the_address(start: Start, forwarded: str, ip: str) -> None:
    site = start(TRUSTED_PROXIES="1", LOGIN_LIMIT_NETWORK="1 per 20 minutes")
    assert try_login(site, 1, {"X-Forwarded-For": forwarded}).status == 422
    assert try_login(site, 2, {"X-Forwarded-For": "192.0.2.77:50001"}).status == 422
    assert ips(site) == [ip, "192.0.2.77"]


@pytest.mark.parametrize(
    "value",
    ["", ",", ", ,", "unknown", "1.2.3", "999.1.1.1", "' OR 1=1 --", "<xss>", "a" * 9000, "1.2.3.4:80", "::1%eth0"],
)
def test_garbage_from_a_proxy_is_no_error_and_does_not_bypass_rate_limits(start: Start, value: str) -> None:
    site = start(TRUSTED_PROXIES="1", **LIMIT)
    pages = [try_login(site, number, {"X-Forwarded-For": value}) for number in range(4)]

    assert [page.status for page in pages] == [422] * 3 + [429]
    assert len(set(ips(site))) == 1


def test_all_invalid_addresses_are_one_network(start: Start) -> None:
    site = start(TRUSTED_PROXIES="1", **LIMIT)
    pages = [try_login(site, number, {"X-Forwarded-For": f"garbage {number}"}) for number in range(4)]

    assert [page.status for page in pages] == [422] * 3 + [429]


@pytest.mark.parametrize("header", ["X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix"])
@pytest.mark.parametrize("value", ["", "x", "javascript", "[", "evil.example:x", "99999999", "\x80", "a" * 300, "a b"])
@pytest.mark.parametrize("proxies", ["0", "1"])
def test_no_forwarded_header_causes_a_server_error(start: Start, header: str, value: str, proxies: str) -> None:
    site = start(TRUSTED_PROXIES=proxies)
    browser = site.browser()

    for path in ("/login", "/account", "/none"):
        page = browser.send(path, headers={header: value})
        assert page.status in (200, 302, 400, 404)
        assert "evil" not in page.text
        assert not page.headers.get("Location", "/").startswith(("//", "http"))


def test_an_ipv6_customer_is_one_network_with_any_low_half(start: Start) -> None:
    site = start(**LIMIT)
    spellings = ["2001:db8:1:2::1", "2001:0DB8:0001:0002:ffff::", "2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::9"]
    pages = [try_login(site, number, {}, address).status for number, address in enumerate(spellings)]

    assert pages == [422] * 3 + [429]
    assert try_login(site, 9, {}, "2001:db8:1:3::1").status == 422


def test_an_ipv4_address_written_as_ipv6_is_itself(start: Start) -> None:
    site = start(**LIMIT)
    spellings = ["203.0.113.5", "::ffff:203.0.113.5", "::FFFF:cb00:7105", "203.0.113.5"]

    assert [try_login(site, number, {}, ip).status for number, ip in enumerate(spellings)] == [422] * 3 + [429]
    assert set(ips(site)) == {"203.0.113.5"}


def test_a_user_agent_is_stored_printable_and_truncated(site: Site) -> None:
    browser = site.browser()
    form = browser.open("/login").form()
    odd = "Odd\x1b[31m\x85Agent" + "x" * 5000
    browser.post(form, {"email": "a@example.com", "password": PASSWORD}, headers={"User-Agent": odd})

    (agent,) = [row["user_agent"] for row in site.rows()["event"]]
    assert agent.startswith("Odd[31mAgentx")
    assert len(agent) <= 255
