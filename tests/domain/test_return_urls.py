"""Return addresses: on a listed origin as a whole, or refused."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.return_urls import is_handover_url, parse_handover_url, parse_return_url
from portal.domain.values.invalid import InvalidValue

ORIGINS = ("https://shop.example.com", "http://localhost:3000", "https://xn--bcher-kva.example:8443")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://shop.example.com", "https://shop.example.com"),
        ("https://shop.example.com/", "https://shop.example.com/"),
        (
            "https://shop.example.com/welcome?from=portal&x=%20#top",
            "https://shop.example.com/welcome?from=portal&x=%20#top",
        ),
        (" HTTPS://Shop.Example.COM:443/Welcome ", "https://shop.example.com/Welcome"),
        ("http://localhost:3000/callback", "http://localhost:3000/callback"),
        ("https://b\u00fccher.example:8443/d\u011bkujeme", "https://xn--bcher-kva.example:8443/d%C4%9Bkujeme"),
        ("https://shop.example.com?a=b|c", "https://shop.example.com?a=b%7Cc"),
    ],
)
def test_an_address_on_a_return_origin_is_kept(text: str, url: str) -> None:
    assert parse_return_url(text, ORIGINS) == url
    assert parse_return_url(url, ORIGINS) == url


@pytest.mark.parametrize(
    "text",
    [
        "http://shop.example.com/",
        "https://shop.example.com:8443/",
        "https://shop.example.com.evil.example/",
        "https://evil.example/https://shop.example.com/",
        "https://evil-shop.example.com/",
        "https://www.shop.example.com/",
        "https://example.com/",
        "https://localhost:3000/",
        "http://localhost/",
        "https://b\u00fccher.example/",
    ],
)
def test_an_address_elsewhere_is_refused_with_what_the_operator_can_do(text: str) -> None:
    with pytest.raises(InvalidValue, match="return origins"):
        parse_return_url(text, ORIGINS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/welcome",
        "//shop.example.com/",
        "shop.example.com",
        "example_returnUrl",
        "https://shop.example.com./",
        "javascript:alert(1)//https://shop.example.com",
        "data:text/html,x",
        "ftp://shop.example.com/",
        "https:shop.example.com",
        "https:/shop.example.com",
        "https:///shop.example.com",
        "https:\\\\shop.example.com",
        "https://shop.example.com\\@evil.example/",
        "https://shop.example.com@evil.example/",
        "https://evil.example@shop.example.com/",
        "https://shop.example.com\t/",
        "https://shop.example.com/\r\nSet-Cookie: x",
        "https://shop.exa\u00admple.com\x00/",
        "https://shop.example.com/a b",
        "https://shop.example.com/" + "a" * 255,
    ],
)
def test_what_is_no_whole_address_of_a_page_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="whole address"):
        parse_return_url(text, ORIGINS)


def test_without_return_origins_there_is_nowhere_to_return() -> None:
    with pytest.raises(InvalidValue):
        parse_return_url("https://shop.example.com/", ())


PIECES = st.sampled_from(
    ["https:", "http:", "/", "//", "\\", "@", ":443", "?", "#", "shop.example.com", "evil.example"]
)


@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text()))
def test_whatever_is_accepted_leads_to_a_listed_origin(text: str) -> None:
    try:
        url = parse_return_url(text, ORIGINS)
    except InvalidValue:
        return
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" in ORIGINS
    assert url.isascii()
    assert url.isprintable()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://shop.example.com/in", "https://shop.example.com/in"),
        (" HTTPS://Shop.Example.COM:443/In ", "https://shop.example.com/In"),
        ("https://shop.example.com", "https://shop.example.com/"),
        ("https://shop.example.com/d\u011bkujeme", "https://shop.example.com/d%C4%9Bkujeme"),
    ],
)
def test_a_hand_over_address_has_one_normal_form(text: str, url: str) -> None:
    assert parse_handover_url(text) == url
    assert parse_handover_url(url) == url


@pytest.mark.parametrize("text", ["", "/in", "https://shop.example.com/in?", "https://shop.example.com/in#x", "shop"])
def test_a_hand_over_address_is_that_of_a_page_and_nothing_more(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as https://shop\.example\.com"):
        parse_handover_url(text)


LISTED = ("https://shop.example.com/in", "https://shop.example.com/")


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/in",
        "https://shop.example.com/in?",
        "https://shop.example.com/in?item=1&next=https://evil.example/",
        "https://shop.example.com",
        "https://shop.example.com/",
        "https://shop.example.com?item=1",
    ],
)
def test_a_listed_address_may_have_any_query(url: str) -> None:
    assert is_handover_url(parse_return_url(url, ORIGINS), LISTED)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/in/",
        "https://shop.example.com/IN",
        "https://shop.example.com/in/../in",
        "https://shop.example.com/./in",
        "https://shop.example.com//in",
        "https://shop.example.com/%69n",
        "https://shop.example.com/in;x",
        "https://shop.example.com/in#top",
        "https://shop.example.com/in?x#top",
        "https://shop.example.com/inner",
        "https://shop.example.com/other?/in",
        "http://shop.example.com/in",
        "https://shop.example.com:8443/in",
        "https://www.shop.example.com/in",
    ],
)
def test_any_other_address_is_none(url: str) -> None:
    assert not is_handover_url(url, LISTED)


def test_without_hand_over_addresses_there_is_none() -> None:
    assert not is_handover_url("https://shop.example.com/in", ())
