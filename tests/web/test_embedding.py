"""Which sites may show the portal in a frame, and its cookies there. For tests with a browser see tests/browser."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from portal.web.embedding import NEVER_FRAMED
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import CONTENT_SECURITY_POLICY
from tests.web.framing import EMAIL, FRAME, NONCE, SHOP, allow, ancestors, framed, redeemed
from tests.web.post import not_me_link_in

NO_PAGES = {
    "embedding.script",
    "handover.tell_site",
    "health.alive",
    "health.ready",
    "login.passkey_options",
    "mailbox.body",  # an email, with its own policy
    "organisation.cover",
    "organisation.logo",
    "organisation.stylesheet",
    "password.change_password",
    "password.strength",
    "static",
    "theme.stylesheet",
}
"""Endpoints without an HTML page."""


@pytest.fixture
def shop(start: Start) -> Site:
    """Return a portal over https that one shop may show in a frame."""
    return allow(start(BASE_URL="https://portal.example.com"))


class TestFrameAncestors:
    def test_framing_is_forbidden_by_default(self, site: Site) -> None:
        page = site.browser().open("/login")
        assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert ancestors(page) == "'none'"

    @pytest.mark.parametrize("path", ["/login", "/register", "/login/link", "/password/reset", "/nothing-here"])
    def test_frame_ancestors_are_exactly_the_organisations_list(self, shop: Site, path: str) -> None:
        allow(shop, frame=(SHOP, "https://other.example.com:8443"))
        assert ancestors(framed(shop).open(path)) == f"{SHOP} https://other.example.com:8443"

    def test_pages_that_change_a_credential_cannot_be_framed(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        assert ancestors(browser.open("/account/password")) == "'none'"
        browser.ask_for_reset(EMAIL)
        assert ancestors(browser.open(shop.link(EMAIL))) == "'none'"
        stranger = shop.browser()
        stranger.fill("/login/link", {"email": EMAIL})
        assert ancestors(browser.open(shop.link(EMAIL))) == "'none'"
        stranger.register("eve@example.com", PASSWORD)
        assert ancestors(browser.open(shop.link("eve@example.com"))) == "'none'"
        shop.browser("198.51.100.7").sign_in(EMAIL, PASSWORD)
        assert ancestors(browser.open(urlsplit(not_me_link_in(shop.mails(EMAIL)[-1])).path)) == "'none'"
        for path in ("/password/new", "/login/confirm", "/register/confirm", "/not-me"):
            assert ancestors(browser.open(path)) == "'none'"

    def test_every_page_is_listed_as_framable_or_not(self, site: Site) -> None:
        """A new page must be listed here or in NEVER_FRAMED."""
        shown = {rule.endpoint for rule in site.app.url_map.iter_rules()} - NEVER_FRAMED - NO_PAGES
        assert shown == {
            "account.home",
            "activity.index",
            "language.choose",
            "login.home",
            "login.login",
            "login.logout",
            "login.passkey",
            "mail_sign_in.code",
            "mail_sign_in.request",
            "password.request_reset",
            "password.reset_sent",
            "profile.edit",
            "register.code",
            "register.register",
            "register.resend",
            "two_step.sign_in",
        }

    def test_a_page_that_cannot_be_framed_opens_in_a_new_tab(self, shop: Site) -> None:
        browser = framed(shop)
        shop.customer(EMAIL)
        page = browser.follow(browser.sign_in(EMAIL, PASSWORD))
        (link,) = (a for a in page.tree.all("a") if a.get("href") == "/account/password")
        assert (link.get("target"), link.get("rel")) == ("_blank", "noopener")


class TestCookies:
    def test_the_frame_has_its_own_cookie(self, shop: Site) -> None:
        cookie = framed(shop).send("/login").headers["Set-Cookie"]
        assert cookie.startswith("__Host-portal-frame=")
        for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"):
            assert f"; {attribute}" in cookie
        assert "Domain" not in cookie

    def test_the_top_level_keeps_its_own_cookie(self, shop: Site) -> None:
        cookie = shop.browser().send("/login").headers["Set-Cookie"]
        assert cookie.startswith("__Host-portal=")
        assert "; SameSite=Lax" in cookie
        assert "Partitioned" not in cookie

    def test_there_is_no_frame_cookie_without_frame_ancestors(self, start: Start) -> None:
        site = start(BASE_URL="https://portal.example.com")
        assert "Set-Cookie" not in framed(site).send("/login").headers

    def test_a_session_of_the_frame_is_separate_from_the_top_level(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser = framed(shop)
        browser.sign_in(EMAIL, PASSWORD)
        assert browser.is_signed_in
        assert Browser.send(browser, "/account").status == 302

    def test_a_request_by_script_in_the_frame_uses_the_frame_cookie(self, shop: Site) -> None:
        browser = framed(shop)
        form = browser.open("/register").form()
        typed = {"csrf_token": form.token, "password": "tall herons", "email": "", "first_name": "", "last_name": ""}
        script = {"Sec-Fetch-Dest": "empty", "X-Portal-Framed": "1"}
        assert Browser.send(browser, "/password/strength", "POST", data=typed, headers=script).status == 200
        without = {"Sec-Fetch-Dest": "empty"}
        assert Browser.send(browser, "/password/strength", "POST", data=typed, headers=without).status == 400


class TestWithoutCookies:
    def test_without_cookies_a_form_opens_a_new_tab_that_returns_to_the_site(self, shop: Site) -> None:
        shop.customer(EMAIL)
        said = {"return_url": f"{SHOP}/cart?item=1", "state": "s1", "nonce": NONCE}
        form = framed(shop).open(f"/login?{urlencode(said)}").form()
        page = framed(shop).post(form, {"email": EMAIL, "password": PASSWORD})  # another browser: no cookie
        assert page.status == 400
        (link,) = page.tree.one("main").all("a")
        assert (link.text, link.get("target")) == ("Continue in a new tab", "_blank")
        tab = shop.browser()
        tab.open(link.get("href"))
        ended = urlsplit(tab.sign_in(EMAIL, PASSWORD).location)
        assert f"{ended.scheme}://{ended.netloc}{ended.path}" == f"{SHOP}/cart"
        answer = parse_qs(ended.query)
        assert (answer["item"], answer["state"]) == (["1"], ["s1"])
        assert redeemed(shop, answer["code"][0]) == EMAIL

    def test_without_cookies_the_page_has_the_language_and_the_colours_of_the_site(self, shop: Site) -> None:
        form = framed(shop).open(f"/login?{urlencode({'nonce': NONCE, 'locale': 'cs', 'theme': 'dark'})}").form()
        page = framed(shop).post(form)
        assert page.tree.one("h1").text == "Pokračovat na nové kartě"
        (scheme,) = (meta for meta in page.tree.all("meta") if meta.get("name") == "color-scheme")
        assert scheme.get("content") == "dark"

    def test_a_top_level_cookie_does_not_count_in_the_frame(self, shop: Site) -> None:
        form = framed(shop).open("/register").form()
        subdomain = shop.browser()  # on the portal's own site, where the frame is sent those of the top level too
        subdomain.open("/login")
        page = subdomain.post(form, headers=FRAME)
        assert page.tree.one("h1").text == "Continue in a new tab"

    def test_without_cookies_registration_continues_as_registration(self, shop: Site) -> None:
        form = framed(shop).open("/register").form()
        (link,) = framed(shop).post(form).tree.one("main").all("a")
        assert link.get("href") == "/register"

    def test_an_expired_form_with_a_cookie_is_shown_again(self, shop: Site) -> None:
        browser = framed(shop)
        form = browser.open("/login").form()
        page = browser.post(form, {"csrf_token": "stale", "email": EMAIL})
        assert (page.status, page.form().fields["email"]) == (400, EMAIL)


def test_the_embed_script_is_small_and_may_be_loaded_from_every_origin(site: Site) -> None:
    page = site.browser().send("/embed.js")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/javascript")
    assert page.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert page.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in page.headers
    assert len(page.body) < 3.5 * 1024
