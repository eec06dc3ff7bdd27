"""The pages of the portal in a frame, and the handover of sign-ins to the site around it."""

import json
from urllib.parse import quote

import pytest

from portal.domain.errors import Failure, Refused
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.framing import ANOTHER, EMAIL, NONCE, SHOP, allow, event, framed, redeemed, told
from tests.web.post import code_in


@pytest.fixture
def shop(start: Start) -> Site:
    """Return a portal over https that one shop may show in a frame."""
    return allow(start(BASE_URL="https://portal.example.com"))


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
        assert browser.cookie("__Host-portal-frame") == cookie  # otherwise it could undo a sign-out at the same moment

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

    def test_what_is_never_framed_opens_in_a_new_tab(self, shop: Site) -> None:
        shop.guest(EMAIL)  # whose registration is dropped by the sign-in: a notice links to the page for a password
        shop.browser().register(EMAIL, PASSWORD)
        browser = framed(shop)
        browser.fill("/login/link", {"email": EMAIL})
        code = code_in(shop.mails(EMAIL)[-1])
        page = browser.follow(browser.fill("/login/code", {"code": code}, submit_to="/login/code"))
        (notice,) = page.tree.all("p", class_="notice done")
        assert "was not saved" in notice.text
        profile = browser.open("/account/profile").tree.one("main")
        for link in (notice.one("a"), profile.one("a", href="/account/email")):
            assert (link.get("target"), link.get("rel")) == ("_blank", "noopener")
        assert "Back to" not in page.words, "the site is around the frame"

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
