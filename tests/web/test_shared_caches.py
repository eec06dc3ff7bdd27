"""Responses that a shared cache may keep are the same for every visitor, without cookies."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest
from flask import Response, session

from portal.domain.operations.organisation_settings import OrganisationChanges, Portal, change_organisation
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start

EMAIL = "ada@example.com"
SHOP = "https://shop.example.com"
FRAME = {"Sec-Fetch-Dest": "iframe"}
COVER = b"\x89PNG\r\n\x1a\n"
LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'
WHAT_A_SITE_SAYS = (
    "nonce=made-up-by-the-page-0123",
    f"return_url={SHOP}/cart",
    f"return_url={SHOP}/cart&state=s&nonce=made-up-by-the-page-0123&locale=cs&theme=dark",
    "nonce=",
    "return_url=",
    "nonce=a&nonce=b",
    "nonce=%00%ff",
    "next=/account&ref=Abcdefgh12345678&v=1",
)
PAGES_THAT_USE_IT = ("/login", "/register", "/login/link", "/password/reset")
MISSING = ("/static/none.css", "/static/", "/static/%00", "/static/../portal.toml", "/themed/blue.css")


@pytest.fixture
def site(start: Start) -> Site:
    """A portal that one shop may show, with a logo, a cover and a colour."""
    site = start(BASE_URL="https://portal.example.com")
    shop: OrganisationChanges = {
        "frame_ancestors": [SHOP],
        "return_origins": [SHOP],
        "logo": LOGO,
        "cover": COVER,
        "accent": "#336699",
    }
    change_organisation(site.context, "default", shop, Portal(languages=("en", "cs"), hostname="portal.example.com"))
    site.app.extensions["portal_directory"]._snapshot = None  # some seconds later
    return site


def assets(site: Site) -> list[str]:
    """Return the address of each kind of asset, with its version and without."""
    browser = site.browser()
    page = browser.open("/login").tree
    linked = [element.get("href") for element in page.all("link")] + [one.get("src") for one in page.all("script")]
    framed = Browser(site.app).send("/login?nonce=n&theme=dark", headers=FRAME).tree
    themed = [link.get("href") for link in framed.all("link") if "themed" in link.get("href")]
    versioned = [*linked, *themed]
    assert len(versioned) == 6
    plain = [address.partition("?")[0] for address in versioned]
    return [*versioned, *plain, "/embed.js", "/organisation/logo", "/organisation/cover", "/healthz", "/readyz"]


def with_query(address: str) -> Iterator[str]:
    yield address
    for query in WHAT_A_SITE_SAYS:
        yield f"{address}{'&' if '?' in address else '?'}{query}"


def visitors(site: Site) -> dict[str, Browser]:
    """A new visitor, one with a notice, a customer, and a customer with cookies of other applications."""
    stranger = site.browser()
    noticed = site.customer(EMAIL)
    noticed.fill("/account/password", {"current_password": PASSWORD, "password": "nine grey otters swim"})
    odd = site.browser()
    odd.sign_in(EMAIL, "nine grey otters swim")
    odd.set_cookie("cs", "__Host-language")
    broken = site.browser()
    broken.set_cookie("x" * 3000, "__Host-portal")
    return {"stranger": stranger, "noticed": noticed, "odd": odd, "broken": broken}


def told(page: Page) -> dict[str, str]:
    """Return the whole response, except what differs by the second."""
    return {name: value for name, value in page.headers if name not in ("Date", "Expires")}


def test_assets_are_the_same_with_every_cookie_and_every_query_and_set_none(site: Site) -> None:
    browsers = visitors(site)
    before = {name: browser.cookie("__Host-portal") for name, browser in browsers.items()}

    for address in assets(site):
        expected = site.browser().send(address)
        assert expected.status == 200, address
        for asked in with_query(address):
            for name, browser in browsers.items():
                for headers in ({}, FRAME):
                    page = browser.send(asked, headers=headers)
                    assert (page.status, page.body, told(page)) == (200, expected.body, told(expected)), (asked, name)
                    assert "Set-Cookie" not in page.headers, (asked, name)
    assert {name: browser.cookie("__Host-portal") for name, browser in browsers.items()} == before
    assert "password is changed" in browsers["noticed"].open("/account").words  # no asset has removed the notice


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_partial_and_not_modified_responses_of_assets_set_no_cookie(site: Site, method: str) -> None:
    browser = visitors(site)["noticed"]
    for address in assets(site):
        tag = site.browser().send(address).headers.get("ETag", '"none"')
        for asked in with_query(address):
            for headers in (
                {"If-None-Match": tag},
                {"Range": "bytes=0-3"},
                {"Range": "bytes=999999-"},
                {"Range": "bytes=0-3", "If-Range": tag},
                {"If-Modified-Since": "Fri, 31 Dec 2100 23:59:59 GMT"},
            ):
                page = browser.send(asked, method, headers=headers)
                assert page.status in (200, 206, 304, 416), (asked, headers)
                assert "Set-Cookie" not in page.headers, (asked, headers)
                if page.status == 416:
                    assert page.headers["Cache-Control"] == "no-store"


def test_a_missing_asset_is_a_404_that_does_not_depend_on_the_visitor(site: Site) -> None:
    browser = visitors(site)["noticed"]
    for address in ("/static/none.css", "/static/none/none.js"):
        plain = site.browser().send(address)
        assert plain.forms == []  # their token would be in no cookie
        for asked in with_query(address):
            assert browser.send(asked).body == plain.body
            for headers in ({}, FRAME):
                page = browser.send(asked, headers=headers)
                assert (page.status, page.headers["Cache-Control"]) == (404, "no-store")
                assert "Set-Cookie" not in page.headers
                assert page.forms == []
    assert "password is changed" in browser.open("/account").words


def test_no_public_response_sets_a_cookie(site: Site) -> None:
    """Check all routes that a browser can open, so that a new one is checked, too."""
    routes = [_example(rule.rule) for rule in site.app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    public = set()
    for browser in visitors(site).values():
        for address in [*routes, *assets(site)]:
            for asked in with_query(address):
                page = browser.send(asked)
                if "public" in page.headers.get("Cache-Control", ""):
                    public.add(urlsplit(asked).path)
                    assert "Set-Cookie" not in page.headers, asked
                    assert "Cookie" not in page.headers.get("Vary", ""), asked
                else:
                    assert "Cookie" in page.headers.get("Vary", ""), asked
    assert public == {urlsplit(address).path for address in assets(site)} - {"/healthz", "/readyz"}


def _example(rule: str) -> str:
    examples = {"<path:filename>": "portal.css", "<any(light, dark):theme>": "dark", "<any(html):part>": "html"}
    for placeholder, example in examples.items():
        rule = rule.replace(placeholder, example)
    return rule.replace("<token>", "none").replace("<key>", "none")


@pytest.mark.parametrize("path", [*MISSING, "/favicon.ico", "/robots.txt", "/apple-touch-icon.png"])
def test_automatic_browser_requests_do_not_consume_a_notice(site: Site, path: str) -> None:
    browser = visitors(site)["noticed"]
    for query in ("", *WHAT_A_SITE_SAYS):
        page = browser.send(f"{path}?{query}")
        assert (page.status, page.headers["Cache-Control"]) == (404, "no-store")
    assert "password is changed" in browser.open("/account").words


def test_only_an_asset_may_be_public_and_no_asset_sets_a_cookie(site: Site) -> None:
    """The headers are set in one place, whichever view responds."""

    def careless() -> Response:
        session["x"] = "of this visitor"
        response = Response("x", headers={"Cache-Control": "public, max-age=300"})
        response.set_cookie("another", "of this visitor")
        return response

    site.app.add_url_rule("/careless", "careless", careless)
    site.app.view_functions["organisation.logo"] = careless
    page = site.browser().send("/careless")
    assert page.headers["Cache-Control"] == "no-store"
    assert len(page.headers.getlist("Set-Cookie")) == 2
    logo = site.browser().send("/organisation/logo")
    assert logo.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in logo.headers


@pytest.mark.parametrize("version", ["", "1", "0" * 12, "%00"])
def test_an_asset_with_a_wrong_version_is_not_cached(site: Site, version: str) -> None:
    """While portals are updated one after another, one may be asked for an asset of the next version."""
    for address in assets(site)[:5]:
        page = site.browser().send(f"{address.partition('?')[0]}?v={version}")
        assert page.status == 200
        assert "public" not in page.headers["Cache-Control"]


def kept(browser: Browser, headers: Mapping[str, str]) -> bool:
    """Whether the visit is remembered: the language of the site."""
    return browser.send("/login", headers=headers).headers["Content-Language"] == "cs"


class TestSiteOptions:
    QUERY = WHAT_A_SITE_SAYS[2]

    @pytest.mark.parametrize("path", PAGES_THAT_USE_IT)
    @pytest.mark.parametrize("headers", [{}, FRAME], ids=["top", "frame"])
    def test_counts_on_the_start_pages(self, site: Site, path: str, headers: dict[str, str]) -> None:
        browser = site.browser()
        browser.send(f"{path}?{self.QUERY}", headers=headers)
        assert kept(browser, headers)

    @pytest.mark.parametrize(("headers", "counts"), [({}, False), (FRAME, True)], ids=["top", "frame"])
    def test_counts_on_the_account_page_in_a_frame(self, site: Site, headers: dict[str, str], counts: bool) -> None:
        """embed.js can show that page, too (data-page), but it is not documented for links."""
        browser = site.browser()
        assert browser.send(f"/account?{self.QUERY}", headers=headers).location.startswith("/login")
        assert kept(browser, headers) is counts

    @pytest.mark.parametrize("headers", [{}, FRAME], ids=["top", "frame"])
    def test_counts_nowhere_else(self, site: Site, headers: dict[str, str]) -> None:
        routes = [rule for rule in site.app.url_map.iter_rules() if "GET" in (rule.methods or ())]
        browser = site.browser()
        for path in {_example(rule.rule) for rule in routes} - {*PAGES_THAT_USE_IT, "/account"} | {"/none", "//none"}:
            browser.send(f"{path}?{self.QUERY}", headers=headers)
        assert not kept(browser, headers)
