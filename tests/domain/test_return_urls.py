"""A return URL must be on an allowed origin."""

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
def test_a_return_url_on_an_allowed_origin_is_accepted(text: str, url: str) -> None:
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
def test_a_return_url_must_be_on_an_allowed_origin(text: str) -> None:
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
def test_an_invalid_return_url_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="whole address"):
        parse_return_url(text, ORIGINS)


def test_without_return_origins_every_return_url_is_refused() -> None:
    with pytest.raises(InvalidValue):
        parse_return_url("https://shop.example.com/", ())


PIECES = st.sampled_from(
    ["https:", "http:", "/", "//", "\\", "@", ":443", "?", "#", "shop.example.com", "evil.example"]
)


@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text()))
def test_every_accepted_return_url_leads_to_an_allowed_origin(text: str) -> None:
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
def test_a_hand_over_address_has_one_canonical_form(text: str, url: str) -> None:
    assert parse_handover_url(text) == url
    assert parse_handover_url(url) == url


@pytest.mark.parametrize("text", ["", "/in", "https://shop.example.com/in?", "https://shop.example.com/in#x", "shop"])
def test_a_hand_over_address_with_a_query_or_fragment_is_refused(text: str) -> None:
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
def test_a_listed_hand_over_address_may_have_any_query(url: str) -> None:
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
def test_an_unlisted_address_is_no_hand_over_address(url: str) -> None:
    assert not is_handover_url(url, LISTED)


def test_without_listed_hand_over_addresses_no_address_is_one() -> None:
    assert not is_handover_url("https://shop.example.com/in", ())
