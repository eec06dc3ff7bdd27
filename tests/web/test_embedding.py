"""The portal in a frame on a shop's page, and visited from there: what the server does. A browser: tests/browser."""

import json
import re
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from sqlalchemy import update

from portal.domain.context import Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import find
from portal.domain.use_cases.hand_over import redeem
from portal.storage.models import Organisation
from portal.web.embedding import NEVER_FRAMED
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import CONTENT_SECURITY_POLICY
from tests.web.post import code_in

EMAIL = "ada@example.com"
SHOP = "https://shop.example.com"
FRAME = {"Sec-Fetch-Dest": "iframe"}
NONCE = "made-up-by-the-page_22"
ANOTHER = "of-the-next-page-of-it"
NO_PAGES = {
    "embedding.script",
    "handover.tell_site",
    "health.alive",
    "health.ready",
    "mailbox.body",  # a mail, with a policy of its own
    "organisation.cover",
    "organisation.logo",
    "organisation.stylesheet",
    "password.change_password",
    "password.strength",
    "static",
    "theme.stylesheet",
}
"""What answers with no page of its own."""


def allow(
    site: Site,
    *,
    frame: tuple[str, ...] = (SHOP,),
    back: tuple[str, ...] = (SHOP,),
    handover: tuple[str, ...] = (f"{SHOP}/welcome", f"{SHOP}/cart"),
) -> Site:
    """What `portal organisation set` does."""
    lists = {"frame_ancestors": [*frame], "return_origins": [*back], "handover_urls": [*handover]}
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(lists))
    site.app.extensions["portal_directory"]._snapshot = None  # some seconds later
    return site


@pytest.fixture
def shop(start: Start) -> Site:
    """A portal that one shop may show, over https."""
    return allow(start(BASE_URL="https://portal.example.com"))


class Framed(Browser):
    """A browser that shows the portal in a frame."""

    def send(self, path: str, method: str = "GET", **options: object) -> Page:
        headers = {**FRAME, **dict(options.pop("headers", None) or {})}  # type: ignore[call-overload]
        return super().send(path, method, headers=headers, **options)


def framed(site: Site) -> Framed:
    return Framed(site.app, "192.0.2.10")


def ancestors(page: Page) -> str:
    found = re.search(r"frame-ancestors ([^;]*)", page.headers["Content-Security-Policy"])
    assert found is not None
    return found[1]


def event(page: Page) -> str | None:
    """What the site around the frame is told with this page."""
    return page.tree.one("html").attributes.get("data-event")


def told(browser: Browser, page: Page, nonce: str = NONCE) -> dict[str, str]:
    """What our script is given for the site around the frame; it reads where to ask in the page."""
    address = page.tree.one("html").get("data-handover")
    body = {"csrf_token": page.form("/logout").token, "nonce": nonce}
    headers = {"Sec-Fetch-Dest": "empty", "X-Portal-Framed": "1"}
    answer = browser.send(address, "POST", data=body, headers=headers)
    assert answer.status == 200
    found: dict[str, str] = json.loads(answer.body)
    return found


def redeemed(site: Site, code: str, nonce: str = NONCE) -> str | None:
    """The address of whom the shop's server gets an identity for."""
    identity = redeem(site.context, Visitor(organisation_id=1, ip=None), code, nonce)
    customer = find(site.context, 1, identity)
    return customer.email if customer else None


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
        for path in ("/password/new", "/login/confirm", "/register/confirm"):
            assert ancestors(browser.open(path)) == "'none'"

    def test_every_page_is_listed_as_framable_or_not(self, site: Site) -> None:
        """Whoever adds a page says here whether others may show it in a frame."""
        shown = {rule.endpoint for rule in site.app.url_map.iter_rules()} - NEVER_FRAMED - NO_PAGES
        assert shown == {
            "account.home",
            "activity.index",
            "language.choose",
            "login.home",
            "login.login",
            "login.logout",
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


class TestInTheFrame:
    def test_a_framed_page_is_compact(self, shop: Site) -> None:
        page = framed(shop).open("/login")
        assert page.tree.all("header") == []
        assert page.tree.all("footer") == []

    def test_a_sign_in_is_handed_over_once_for_each_nonce(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser = framed(shop)
        assert "data-handover" not in browser.open(f"/login?nonce={NONCE}").tree.one("html").attributes
        page = browser.follow(browser.sign_in(EMAIL, PASSWORD))
        assert page.tree.one("html").get("data-nonce") == NONCE
        assert redeemed(shop, told(browser, page)["code"]) == EMAIL
        assert told(browser, browser.open("/account")) == {}
        cookie = browser.cookie("__Host-portal-frame")
        again = told(browser, browser.open("/account"), ANOTHER)
        assert redeemed(shop, again["code"], ANOTHER) == EMAIL
        assert browser.cookie("__Host-portal-frame") == cookie  # else it could undo a sign-out at the same moment

    def test_each_sign_in_is_handed_over(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser = framed(shop)
        for _ in range(2):
            page = browser.follow(browser.sign_in(EMAIL, PASSWORD))
            assert redeemed(shop, told(browser, page)["code"]) == EMAIL
            browser.post(page.form("/logout"))

    def test_a_code_of_one_page_is_refused_for_another(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser = framed(shop)
        code = told(browser, browser.follow(browser.sign_in(EMAIL, PASSWORD)))["code"]
        with pytest.raises(Refused) as refusal:
            redeemed(shop, code, ANOTHER)
        assert refusal.value.failure is Failure.NO_SUCH_HANDOVER

    @pytest.mark.parametrize("nonce", ["", "of-21-characters-only", "x" * 129, "of-22-characters-but +"])
    def test_without_a_nonce_there_is_no_code(self, shop: Site, nonce: str) -> None:
        shop.customer(EMAIL)
        browser = framed(shop)
        browser.open(f"/login?nonce={quote(nonce)}")
        page = browser.follow(browser.sign_in(EMAIL, PASSWORD))
        assert page.tree.one("html").get("data-nonce") == ""
        assert told(browser, page, nonce) == {}
        assert shop.rows()["handover"] == []

    def test_too_many_nonces_are_rate_limited(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser = framed(shop)
        page = browser.follow(browser.sign_in(EMAIL, PASSWORD))
        body = {"csrf_token": page.form("/logout").token}
        answers = [browser.send("/handover", "POST", data={**body, "nonce": f"{NONCE}{n}"}) for n in range(101)]
        assert [answer.status for answer in answers] == [200] * 100 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 600
        assert len(shop.rows()["handover"]) == 100

    def test_there_is_no_code_outside_a_frame_or_signed_out(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        form = browser.open("/account").form("/logout")
        body = {"csrf_token": form.token, "nonce": NONCE}
        assert json.loads(browser.send("/handover", "POST", data=body).body) == {}
        stranger = framed(shop)
        body["csrf_token"] = stranger.open("/login").form().token
        assert json.loads(stranger.send("/handover", "POST", data=body).body) == {}

    def test_a_hand_over_needs_the_csrf_token_and_our_own_origin(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser = framed(shop)
        page = browser.follow(browser.sign_in(EMAIL, PASSWORD))
        assert browser.send("/handover", "POST", data={"nonce": NONCE}).status == 400
        body = {"csrf_token": page.form("/logout").token, "nonce": NONCE}
        assert browser.send("/handover", "POST", data=body, headers={"Origin": SHOP}).status == 400
        assert shop.rows()["handover"] == []

    def test_a_code_typed_in_the_frame_signs_it_in(self, shop: Site) -> None:
        browser = framed(shop)
        browser.open(f"/register?nonce={NONCE}")
        browser.register(EMAIL, PASSWORD)
        page = browser.follow(
            browser.fill("/register/code", {"code": code_in(shop.mails(EMAIL)[-1])}, submit_to="/register/code")
        )
        assert redeemed(shop, told(browser, page)["code"]) == EMAIL

    def test_the_frame_is_in_the_language_of_the_site(self, shop: Site) -> None:
        browser = framed(shop)
        assert browser.open("/login?nonce=n&locale=cs-CZ").tree.one("html").get("lang") == "cs"
        assert browser.open("/register").tree.one("html").get("lang") == "cs"

    def test_the_language_switch_outside_the_frame_overrides_the_site(self, shop: Site) -> None:
        browser = shop.browser()
        page = browser.open("/login?nonce=n&locale=cs-CZ")
        assert page.tree.one("html").get("lang") == "cs"
        answer = browser.post(page.form("/language"), {"locale": "en"})
        assert browser.follow(answer).tree.one("html").get("lang") == "en"

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_the_site_chooses_the_light_or_dark_theme(self, shop: Site, theme: str) -> None:
        browser = framed(shop)
        browser.open(f"/login?nonce=n&theme={theme}")
        shown = browser.open("/register")
        (stylesheet,) = (link.get("href") for link in shown.tree.all("link") if link.get("rel") == "stylesheet")
        answer = browser.send(stylesheet)
        assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
        assert "immutable" in answer.headers["Cache-Control"]
        css = answer.body.decode()
        assert "prefers-color-scheme" not in css
        assert f"color-scheme: {theme};" in css
        meant_for_the_dark = css.partition("@media " + {"light": "not all", "dark": "all"}[theme])[2]
        assert "--page: #121416" in meant_for_the_dark
        assert browser.send(stylesheet.partition("?")[0]).headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("theme", ["", "blue", "../dark", "dark%00"])
    def test_an_unknown_theme_is_ignored(self, shop: Site, theme: str) -> None:
        shown = framed(shop).open(f"/login?nonce=n&theme={theme}")
        assert not any("themed" in link.get("href") for link in shown.tree.all("link"))

    def test_outside_a_frame_the_browser_chooses_the_theme(self, shop: Site) -> None:
        shown = shop.browser().open("/login?nonce=n&theme=dark")
        assert not any("themed" in link.get("href") for link in shown.tree.all("link"))

    def test_signing_out_is_announced_to_the_site(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser = framed(shop)
        browser.sign_in(EMAIL, PASSWORD)
        page = browser.follow(browser.post(browser.open("/account").form("/logout")))
        assert event(page) == "signed-out"
        assert event(browser.open("/login")) is None

    def test_the_page_lists_the_origins_that_it_may_message(self, shop: Site) -> None:
        assert framed(shop).open("/login").tree.one("html").get("data-parents") == SHOP
        assert "data-parents" not in shop.browser().open("/login").tree.one("html").attributes

    def test_at_top_level_no_message_is_sent(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        attributes = browser.open(f"/account?nonce={NONCE}").tree.one("html").attributes
        assert not {"data-event", "data-handover", "data-parents"} & attributes.keys()

    def test_the_emailed_link_says_that_the_code_can_be_typed_in_the_frame(self, shop: Site) -> None:
        shop.customer(EMAIL)
        framed(shop).fill("/login/link", {"email": EMAIL})
        page = shop.browser().open(shop.link(EMAIL))
        assert "enter the code from the email there" in page.words


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
