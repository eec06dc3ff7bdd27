"""Host names, origins and addresses of pages in their normal forms."""

import pytest

from portal.domain.values.urls import parse_hostname, parse_origin, parse_page_url

ODD_HOSTS = [
    "",
    " ",
    ".",
    "shop..example.com",
    ".shop.example.com",
    "shop.example.com.",
    "-shop.example.com",
    "shop-.example.com",
    "shop_1.example.com",
    "*.example.com",
    "shop.example.com/",
    "shop.example.com:443",
    "user@shop.example.com",
    "shop example.com",
    "shop.example.com,evil.example",
    "shop.example.com;evil.example",
    "shop.example.com'",
    "shop\\.example.com",
    "shop%2eexample.com",
    "shop\n.example.com",
    "shop\0.example.com",
    "shop.exa\u202emple.com",
    "shop\ud800.example.com",
    "xn--.example.com",
    "xn--a.example.com",
    "\u2488com",
    "127.1",
    "0x7f000001",
    "shop.0x7f",
    "shop.1",
    "[::1]",
    "::1",
    "a" * 64 + ".example.com",
    "a." * 126 + "example",
    "\u00e9" * 60_000,
]


@pytest.mark.parametrize(
    ("text", "hostname"),
    [
        ("login.example.com", "login.example.com"),
        (" Login.EXAMPLE.com ", "login.example.com"),
        ("localhost", "localhost"),
        ("k\u00e1men.example", "xn--kmen-5na.example"),
        ("KA\u0301MEN.example", "xn--kmen-5na.example"),
        ("xn--kmen-5na.example", "xn--kmen-5na.example"),
        ("XN--KMEN-5NA.example", "xn--kmen-5na.example"),
        ("shop\u3002example", "shop.example"),
        ("stra\u00dfe.example", "xn--strae-oqa.example"),
        ("a--b.example.com", "a--b.example.com"),
        ("1.example.com", "1.example.com"),
    ],
)
def test_a_host_name_has_one_form(text: str, hostname: str) -> None:
    assert parse_hostname(text) == hostname
    assert parse_hostname(hostname) == hostname


@pytest.mark.parametrize("text", ODD_HOSTS, ids=ascii)
def test_what_is_no_bare_host_name_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host name such as") as refusal:
        parse_hostname(text)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://shop.example.com", "https://shop.example.com"),
        ("HTTPS://Shop.Example.COM", "https://shop.example.com"),
        ("https://shop.example.com:443", "https://shop.example.com"),
        ("http://shop.example.com:80", "http://shop.example.com"),
        ("http://shop.example.com:443", "http://shop.example.com:443"),
        ("https://shop.example.com:08443", "https://shop.example.com:8443"),
        ("https://k\u00e1men.example", "https://xn--kmen-5na.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_an_origin_has_the_form_that_browsers_send(text: str, origin: str) -> None:
    assert parse_origin(text) == origin
    assert parse_origin(origin) == origin


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "*",
        "https:",
        "https://",
        "https://*",
        "//shop.example.com",
        "shop.example.com",
        "ftp://shop.example.com",
        "javascript://shop.example.com",
        "https:shop.example.com",
        "https:/shop.example.com",
        "https:\\\\shop.example.com",
        "https://shop.example.com/",
        "https://shop.example.com?",
        "https://shop.example.com#",
        "https://shop.example.com:",
        "https://shop.example.com:0",
        "https://shop.example.com:65536",
        "https://shop.example.com:999999",
        "https://shop.example.com:44a",
        "https://shop.example.com:443:443",
        "https://shop.example.com:\u0664\u0664\u0663",
        "https://shop.example.com https://evil.example",
        "https://shop.example.com;script-src *",
        "https://shop.example.com, https://evil.example",
        "https://shop.example.com'unsafe-inline'",
        *(f"https://{host}" for host in ODD_HOSTS if host != "shop.example.com:443"),
    ],
    ids=ascii,
)
def test_what_is_no_exact_origin_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="is not an origin such as") as refusal:
        parse_origin(text)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://shop.example.com/privacy", "https://shop.example.com/privacy"),
        ("HTTPS://Shop.example.com:443/Privacy?a=b&c=%20#top", "https://shop.example.com/Privacy?a=b&c=%20#top"),
        ("http://shop.example.com", "http://shop.example.com"),
        ("https://k\u00e1men.example/z\u00e1sady", "https://xn--kmen-5na.example/z%C3%A1sady"),
        ('https://shop.example.com/"><script>', "https://shop.example.com/%22%3E%3Cscript%3E"),
    ],
)
def test_the_address_of_a_page_is_kept_in_ascii(text: str, url: str) -> None:
    assert parse_page_url(text, 255, "https://shop.example.com/") == url


@pytest.mark.parametrize(
    "text",
    [
        "privacy",
        "/privacy",
        "//shop.example.com/privacy",
        "javascript:alert(1)",
        "data:text/html,hello",
        "mailto:shop@example.com",
        "https://user:password@shop.example.com/",
        "https://[::1/",
        "https://shop.example.com/a b",
        "https://shop.example.com\\@evil.example/",
        "https://shop.example.com/\r\nBcc: eve@example.com",
        "https://shop.example.com/\tprivacy",
        "https://shop.example.com/\ud800",
        "https://shop.example.com/" + "a" * 255,
    ],
    ids=ascii,
)
def test_what_is_no_address_of_a_page_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a page such as"):
        parse_page_url(text, 255, "https://shop.example.com/")


def test_an_address_that_grows_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 255"):
        parse_page_url("https://shop.example.com/" + "\u00e1" * 200, 255, "https://shop.example.com/")
