"""The redirect back to the site that sent a customer, with a code for its server or without."""

from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from portal.web.embedding import NEVER_FRAMED
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_page
from tests.web.framing import ANOTHER, EMAIL, FRAME, NONCE, SHOP, allow, ancestors, framed, redeemed

WELCOME = f"{SHOP}/welcome"
NO_NONCES = ["", "x" * 21, "x" * 129, "made-up-by-the-page 22", "made-up-by-the-page+22", "made-up-by-the-página22"]


@pytest.fixture
def shop(start: Start) -> Site:
    """A portal over https that one shop may show in a frame and send its customers to."""
    return allow(start(BASE_URL="https://portal.example.com"))


def link(return_url: str = WELCOME, **said: str) -> str:
    """Return the address that a site sends its customer to."""
    return f"/login?{urlencode({'return_url': return_url, **said})}"


def visit(site: Site, return_url: str = WELCOME, **said: str) -> tuple[Browser, Page]:
    """A signed-out customer comes from a site."""
    browser = site.browser()
    return browser, browser.open(link(return_url, **said))


def answer(page: Page) -> dict[str, list[str]]:
    """Return the parameters that a site gets in a redirect."""
    return parse_qs(urlsplit(page.location).query)


class TestSigningIn:
    def test_returns_with_a_code_and_the_state(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser, page = visit(shop, state="basket 7", nonce=NONCE)
        assert f"form-action 'self' {SHOP};" in page.headers["Content-Security-Policy"]
        ended = browser.sign_in(EMAIL, PASSWORD)
        assert (ended.location.partition("?")[0], answer(ended)["state"]) == (WELCOME, ["basket 7"])
        assert redeemed(shop, answer(ended)["code"][0]) == EMAIL

    def test_a_page_returned_to_before_gets_the_new_code_only(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser, _ = visit(shop, f"{SHOP}/cart?code=old&item=1&state=s0&c%6Fde=x&st%61te=y", state="s1", nonce=NONCE)
        told = answer(browser.sign_in(EMAIL, PASSWORD))
        assert (told["item"], told["state"], len(told["code"])) == (["1"], ["s1"], 1)
        assert redeemed(shop, told["code"][0]) == EMAIL

    def test_a_new_customer_returns_after_confirming(self, shop: Site) -> None:
        browser = shop.browser()
        browser.open(f"/register?return_url={quote(WELCOME)}&nonce={NONCE}")
        browser.register(EMAIL, PASSWORD)
        assert browser.fill(shop.link(EMAIL)).location.startswith(f"{WELCOME}?code=")

    def test_the_emailed_link_in_the_same_browser_returns_with_a_code(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser, _ = visit(shop, nonce=NONCE)
        browser.fill("/login/link", {"email": EMAIL})
        assert browser.fill(shop.link(EMAIL)).location.startswith(f"{WELCOME}?code=")

    def test_the_link_opened_elsewhere_returns_without_a_code(self, shop: Site) -> None:
        browser = shop.browser()
        browser.open(f"/register?return_url={quote(WELCOME)}&nonce={NONCE}")
        browser.register(EMAIL, PASSWORD)
        assert shop.browser().fill(shop.link(EMAIL), {"password": PASSWORD}).location == WELCOME
        assert shop.rows()["handover"] == []

    @pytest.mark.parametrize("nonce", NO_NONCES, ids=ascii)
    def test_returns_without_a_code_where_there_is_no_nonce(self, shop: Site, nonce: str) -> None:
        shop.customer(EMAIL)
        browser, _ = visit(shop, state="s1", nonce=nonce)
        assert browser.sign_in(EMAIL, PASSWORD).location == f"{WELCOME}?state=s1"
        assert shop.rows()["handover"] == []

    @pytest.mark.parametrize(
        "beside",
        [
            f"{SHOP}/welcome/",
            f"{SHOP}/Welcome",
            f"{SHOP}/",
            f"{SHOP}/x/../welcome",
            f"{SHOP}/%77elcome",
            f"{SHOP}//welcome",
        ],
    )
    def test_returns_without_a_code_to_a_page_that_is_not_listed_whole(self, shop: Site, beside: str) -> None:
        shop.customer(EMAIL)
        browser, _ = visit(shop, beside, state="s1", nonce=NONCE)
        assert browser.sign_in(EMAIL, PASSWORD).location == f"{beside}?state=s1"
        assert shop.rows()["handover"] == []

    def test_returns_without_a_code_where_none_is_listed(self, shop: Site) -> None:
        allow(shop, handover=())
        shop.customer(EMAIL)
        browser, _ = visit(shop, nonce=NONCE)
        assert browser.sign_in(EMAIL, PASSWORD).location == WELCOME

    @pytest.mark.parametrize(
        "elsewhere",
        [
            "https://evil.example/welcome",
            "https://shop.example.com.evil.example/",
            "https://shop.example.com@evil.example/",
            "http://shop.example.com/welcome",
            "https://shop.example.com:8443/",
            "//shop.example.com/",
            "javascript:alert(1)",
            "/account",
            "",
        ],
    )
    def test_a_return_url_must_be_on_an_allowed_origin(self, shop: Site, elsewhere: str) -> None:
        shop.customer(EMAIL)
        browser, page = visit(shop, elsewhere, nonce=NONCE)
        assert "evil" not in page.headers["Content-Security-Policy"]
        assert browser.sign_in(EMAIL, PASSWORD).location == "/account"

    def test_ignores_an_origin_that_was_removed_meanwhile(self, shop: Site) -> None:
        shop.customer(EMAIL)
        browser, _ = visit(shop, nonce=NONCE)
        allow(shop, back=(), handover=())
        assert browser.sign_in(EMAIL, PASSWORD).location == "/account"

    @pytest.mark.parametrize("state", ["x" * 256, "a\nb", "\x00"])
    def test_an_invalid_state_is_left_out(self, shop: Site, state: str) -> None:
        shop.customer(EMAIL)
        browser, _ = visit(shop, state=state, nonce=NONCE)
        assert answer(browser.sign_in(EMAIL, PASSWORD)).keys() == {"code"}


class TestSignedInBefore:
    def test_sees_the_site_and_the_account_before_continuing(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        page = browser.send(link(state="s1", nonce=NONCE))
        assert_page(page, 200)
        assert page.tree.one("main").one("h1").text == "Continue to shop.example.com"
        assert EMAIL in page.words
        assert shop.rows()["handover"] == []
        assert f"form-action 'self' {SHOP};" in page.headers["Content-Security-Policy"]
        ended = browser.post(page.form("/continue"))
        assert (ended.location.partition("?")[0], answer(ended)["state"]) == (WELCOME, ["s1"])
        assert redeemed(shop, answer(ended)["code"][0]) == EMAIL

    def test_sees_the_button_until_it_is_pressed(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        browser.send(link(nonce=NONCE))
        assert browser.send("/continue").location == "/login"
        page = browser.open("/continue")
        assert browser.post(page.form("/continue")).location.startswith(f"{WELCOME}?code=")
        assert browser.send("/login").location == "/account"
        assert browser.send("/continue").location == "/account"

    def test_goes_back_at_once_where_there_is_no_code(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        for address in (link(f"{SHOP}/news", state="s1", nonce=NONCE), link(state="s1"), link(state="s1", nonce="n")):
            assert browser.send(address).location.endswith("?state=s1")
            assert browser.send("/login").location == "/account"
        assert shop.rows()["handover"] == []

    def test_returns_to_the_shown_site_after_other_pages_were_opened(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        first = browser.send(link(state="s1", nonce=NONCE))
        second = browser.send(link(f"{SHOP}/cart", state="s2", nonce=ANOTHER))
        ended = browser.post(first.form("/continue"))
        assert (ended.location.partition("?")[0], answer(ended)["state"]) == (WELCOME, ["s1"])
        assert redeemed(shop, answer(ended)["code"][0]) == EMAIL
        ended = browser.post(second.form("/continue"))
        assert ended.location.startswith(f"{SHOP}/cart?code=")
        assert redeemed(shop, answer(ended)["code"][0], ANOTHER) == EMAIL

    def test_may_use_another_account(self, shop: Site) -> None:
        shop.customer("eve@example.com")
        browser = shop.customer(EMAIL)
        page = browser.send(link(state="s1", nonce=NONCE))
        (other,) = (form for form in page.tree.one("main").all("form") if form.get("action") == "/logout")
        assert other.text == "Use another account"
        signed_out = browser.send("/logout", "POST", data={"csrf_token": page.form("/continue").token})
        assert signed_out.location == "/login"
        ended = browser.sign_in("eve@example.com", PASSWORD)
        assert answer(ended)["state"] == ["s1"]
        assert redeemed(shop, answer(ended)["code"][0]) == "eve@example.com"

    def test_needs_the_csrf_token(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        form = browser.send(link(state="s1", nonce=NONCE)).form("/continue")
        again = browser.post(form, {"csrf_token": "stale"})
        assert again.status == 400
        assert "Your session on this page expired." in again.words
        assert "Continue to shop.example.com" in again.words
        foreign = browser.post(form, headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
        assert foreign.status == 400
        assert shop.rows()["handover"] == []
        assert browser.post(again.form("/continue")).location.startswith(f"{WELCOME}?code=")

    @pytest.mark.parametrize(
        ("changed", "location"),
        [
            ({"return_url": "https://evil.example/welcome"}, "/account"),
            ({"return_url": ""}, "/account"),
            ({"return_url": f"{SHOP}/news"}, f"{SHOP}/news"),
            ({"nonce": "n"}, WELCOME),
            ({"nonce": None}, WELCOME),
        ],
    )
    def test_gets_no_code_anywhere_else_by_a_changed_form(
        self, shop: Site, changed: dict[str, str | None], location: str
    ) -> None:
        browser = shop.customer(EMAIL)
        form = browser.send(link(nonce=NONCE)).form("/continue")
        assert browser.post(form, changed).location == location
        assert shop.rows()["handover"] == []

    def test_signs_in_first_when_the_session_has_ended_meanwhile(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        browser.send(link(nonce=NONCE))
        browser.post(browser.open("/account").form("/logout"))
        body = {"csrf_token": browser.open("/login").form().token, "return_url": WELCOME, "nonce": NONCE}
        page = browser.send("/continue", "POST", data=body)
        assert page.location == "/login?next=/continue"
        assert browser.sign_in(EMAIL, PASSWORD).location.startswith(f"{WELCOME}?code=")

    def test_is_not_asked_in_a_frame(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        assert ancestors(shop.browser().send("/login")) == SHOP
        assert ancestors(browser.send(link(nonce=NONCE))) == "'none'"
        assert "handover.continue" in NEVER_FRAMED
        inside = framed(shop)
        inside.open(link(nonce=NONCE))
        inside.sign_in(EMAIL, PASSWORD)
        assert inside.send(link(nonce=NONCE)).location == "/account"
        body = {"csrf_token": inside.open("/account").form("/logout").token, "return_url": WELCOME, "nonce": NONCE}
        assert inside.send("/continue", "POST", data=body, headers=FRAME).location == "/account"
        assert shop.rows()["handover"] == []

    def test_waits_after_too_many_codes(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        form = browser.send(link(nonce=NONCE)).form("/continue")
        answers = [browser.post(form) for _ in range(101)]
        assert [page.status for page in answers] == [302] * 100 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 600
        assert len(shop.rows()["handover"]) == 100

    @pytest.mark.parametrize("return_url", ["https://evil.example/welcome", ""])
    def test_shows_no_url_from_an_expired_form(self, shop: Site, return_url: str) -> None:
        browser = shop.customer(EMAIL)
        page = browser.send("/continue", "POST", data={"return_url": return_url, "nonce": NONCE})
        assert page.status == 400
        assert "evil.example" not in page.text
        assert "Continue to" not in page.text

    def test_a_form_shown_again_may_lead_to_the_site(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        page = browser.send("/continue", "POST", data={"return_url": WELCOME, "nonce": NONCE})
        assert page.status == 400
        assert f"form-action 'self' {SHOP};" in page.headers["Content-Security-Policy"]
        assert browser.post(page.form("/continue")).location.startswith(f"{WELCOME}?code=")

    def test_a_new_sign_in_over_the_code_limit_returns_without_a_code(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        form = browser.send(link(nonce=NONCE)).form("/continue")
        for _ in range(100):
            browser.post(form)
        another, _ = visit(shop, nonce=NONCE)
        assert another.sign_in(EMAIL, PASSWORD).location == WELCOME

    def test_the_language_can_be_changed_on_the_page(self, shop: Site) -> None:
        browser = shop.customer(EMAIL)
        page = browser.send(link(nonce=NONCE))
        chosen = browser.follow(browser.post(page.form("/language"), {"locale": "cs"}))
        assert chosen.tree.one("html").get("lang") == "cs"
        assert browser.post(chosen.form("/continue")).location.startswith(f"{WELCOME}?code=")


def test_a_signed_out_visitor_signs_in_before_continuing(shop: Site) -> None:
    assert shop.browser().send("/continue").location == "/login"


def test_a_get_writes_no_row(shop: Site) -> None:
    browser = shop.customer(EMAIL)
    before = {name: len(rows) for name, rows in shop.rows().items()}
    for number in range(20):
        for path in ("/login", "/continue", "/register", "/account", "/"):
            nonce = f"{NONCE}{number}"
            browser.send(f"{path}?{urlencode({'return_url': WELCOME, 'state': 's', 'nonce': nonce})}")
            browser.send(f"{path}?{urlencode({'return_url': f'{SHOP}/news', 'nonce': nonce})}")
    assert {name: len(rows) for name, rows in shop.rows().items()} == before
