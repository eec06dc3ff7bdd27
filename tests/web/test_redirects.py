"""The parameter `next` never leads to another site."""

import re
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.web.conftest import PASSWORD, Site

pytestmark = pytest.mark.on_sqlite  # not about the database

EMAIL = "ada@example.com"
HERE = ("http", "127.0.0.1:5000")
EVIL = "evil.example"
ODD = [
    f"//{EVIL}",
    f"///{EVIL}",
    f"////{EVIL}/%2e%2e",
    f"/\\{EVIL}",
    f"\\\\{EVIL}",
    f"\\/{EVIL}",
    f"/\\/{EVIL}",
    f"\\{EVIL}",
    f"/\t/{EVIL}",
    f"/\n/{EVIL}",
    f"/\r\n/{EVIL}",
    f"\t//{EVIL}",
    f"\x00//{EVIL}",
    f"\x01\x1f //{EVIL}",
    f" //{EVIL}",
    f"\u00a0//{EVIL}",
    f"\u2028//{EVIL}",
    f"/\u2028/{EVIL}",
    f"/\u3000/{EVIL}",
    f"\uff0f\uff0f{EVIL}",
    f"/\uff0f{EVIL}",
    f"/\u2215{EVIL}",
    f"/\ufe68{EVIL}",
    f"http://{EVIL}",
    f"HTTP://{EVIL}",
    f"http:{EVIL}",
    f"http:/{EVIL}",
    f"http:\\\\{EVIL}",
    f"ht\ntp://{EVIL}",
    f"https://{EVIL}/account",
    "javascript:alert(1)",
    "java\tscript:alert(1)",
    "JavaScript://%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "blob:http://127.0.0.1:5000/x",
    f"ftp://{EVIL}",
    f"mailto:a@{EVIL}",
    f"http://127.0.0.1:5000@{EVIL}",
    f"http://127.0.0.1:5000.{EVIL}",
    f"http://{EVIL}#127.0.0.1:5000",
    f"http://{EVIL}\\@127.0.0.1:5000",
    f"//127.0.0.1:5000@{EVIL}/",
    f"@{EVIL}",
    f".{EVIL}",
    f":80@{EVIL}",
    EVIL,
    f"%2f%2f{EVIL}",
    f"/%2f{EVIL}",
    f"/%5c{EVIL}",
    f"/%09/{EVIL}",
    f"/%0d%0aLocation:%20http://{EVIL}",
    f"/\r\nLocation: http://{EVIL}",
    "/x\r\nSet-Cookie: portal=evil",
    f"/;//{EVIL}",
    f"/.//{EVIL}",
    f"/..//{EVIL}",
    f"/./\\{EVIL}",
    f"/?//{EVIL}",
    "/account\x00",
    "",
    "/",
    "?x",
    "#x",
    "/account/../..//x",
    "http://127.0.0.1:5000/account",
    "/" + "a" * 5000,
    "\ud800//x".encode("utf-8", "surrogatepass").decode("latin-1"),
]


def where_a_browser_goes(location: str) -> tuple[str, str]:
    """Return the scheme and host of a Location, as browsers resolve it (WHATWG URL)."""
    location = location.strip("".join(map(chr, range(0x21))))
    location = re.sub(r"[\t\n\r]", "", location)
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", location)
    rest = location[scheme.end() :] if scheme else location
    name = scheme.group(1).lower() if scheme else HERE[0]
    if name not in ("http", "https", "ftp", "ws", "wss"):
        return name, ""
    rest = rest.replace("\\", "/")
    relative = not rest.startswith("//") if name == HERE[0] else False
    if relative:
        return HERE
    authority = re.split(r"[/?#]", rest.lstrip("/"), maxsplit=1)[0]
    return name, authority


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("/account", HERE),
        ("x", HERE),
        ("http:x", HERE),
        ("//evil.example/x", ("http", EVIL)),
        ("/\\evil.example", ("http", EVIL)),
        ("/\t/evil.example", ("http", EVIL)),
        (" \n//evil.example", ("http", EVIL)),
        ("https:evil.example", ("https", EVIL)),
        ("javascript:x", ("javascript", "")),
    ],
)
def test_urls_are_parsed_here_as_browsers_parse_them(location: str, place: tuple[str, str]) -> None:
    assert where_a_browser_goes(location) == place


@pytest.mark.parametrize("target", ODD, ids=ascii)
def test_next_never_redirects_to_another_site(site: Site, target: str) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    asked = browser.open("/login?next=" + quote(target))
    assert asked.status == 200
    by_link = browser.post(asked.form(), {"email": EMAIL, "password": PASSWORD})
    by_field = site.browser().sign_in(EMAIL, PASSWORD, next=target)
    when_signed_in = browser.send("/login?next=" + quote(target))

    for page in (by_link, by_field, when_signed_in):
        assert page.status == 302
        assert where_a_browser_goes(page.location) == HERE
        assert page.location.isascii()
        assert not re.search(r"[\x00-\x20\x7f]", page.location)
        assert EVIL not in urlsplit(page.location).netloc
        assert not any("evil" in cookie for cookie in page.headers.getlist("Set-Cookie"))


PIECES = st.sampled_from(
    [
        *"/\\:@?#;.[]%&= \t\n\r\x00\x0b\x0c\x1f\x7f\x85\u00a0\u2028\u2029\u3002\uff0f\ufeff\u200b",
        *(EVIL, "127.0.0.1:5000", "http", "https", "javascript", "data", "%2f", "%5c", "%09", "%00", "..", "account"),
    ]
)
NASTY = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=20))


@given(target=NASTY)
@example(target="/\\\t/evil.example")
@settings(max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_generated_text_in_next_redirects_to_another_site(shared: "Shared", target: str) -> None:
    page = shared.browser.send("/login", query_string={"next": target.encode("utf-8", "replace").decode()})

    assert page.status == 302
    assert where_a_browser_goes(page.location) == HERE
    assert page.location.startswith("/")


class Shared:
    """One signed-in browser for all the examples."""

    def __init__(self, site: Site) -> None:
        self.browser = site.customer(EMAIL)


@pytest.fixture
def shared(site: Site) -> Shared:
    return Shared(site)


@pytest.mark.parametrize("target", ["/account/password", "/account?x=1&y=%20#z", "/~a!$'()*+,;=:@"])
def test_next_redirects_to_a_path_of_the_portal(site: Site, target: str) -> None:
    site.customer(EMAIL)

    assert site.browser().sign_in(EMAIL, PASSWORD, next=target).location == target


def test_signing_in_returns_to_the_page_that_required_it(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    asked = browser.send("/account/password")
    refused = browser.fill(asked.location, {"email": EMAIL, "password": "wrong"})

    assert browser.post(refused.form(), {"password": PASSWORD}).location == "/account/password"


def test_the_root_redirects_to_the_account_or_to_sign_in(site: Site) -> None:
    browser = site.customer(EMAIL)

    assert browser.send("/").location == "/account"
    assert site.browser().send("/").location == "/login"


def test_password_managers_find_the_page_that_changes_the_password(site: Site) -> None:
    page = site.browser().send("/.well-known/change-password")

    assert (page.status, page.location) == (302, "/account/password")
    unknown = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    assert site.browser().send(unknown).status == 404
