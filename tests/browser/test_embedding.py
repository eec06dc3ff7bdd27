"""The portal in a frame on a page of another site, over TLS, in browsers that keep or refuse cookies."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Frame, Playwright, expect

from tests.browser.looking import found_by_axe
from tests.browser.parents import OTHER, SHOP, THIEF, Parents, Shopper, chromium_with, parents
from tests.browser.visitor import PASSWORD, press_enter

pytestmark = pytest.mark.browser

NONCE = "of-the-session-at-the-shop"
HELLO = re.compile("Ada Quill")
SHAPELESS: tuple[Any, ...] = (
    {},
    None,
    "portal",
    {"source": "portal", "v": 2, "type": "signed-out"},
    {"source": "other", "v": 1, "type": "signed-out"},
    {"source": "portal", "v": 1, "type": "constructor"},
    {"source": "portal", "v": 1},
    {"source": "portal", "v": 1, "type": "resize"},
    {"source": "portal", "v": 1, "type": "resize", "height": "900"},
    {"source": "portal", "v": 1, "type": "resize", "height": None},
    {"source": "portal", "v": 1, "type": "signed-in"},
    {"source": "portal", "v": 1, "type": "signed-in", "code": {"a": 1}},
)


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Parents]:
    with parents(tmp_path_factory.mktemp("parents")) as sites:
        yield sites


@pytest.fixture(scope="module")
def contexts(
    tmp_path_factory: pytest.TempPathFactory, chromium: str, playwright: Playwright
) -> Iterator[Callable[[str], BrowserContext]]:
    """A browser for each way to treat cookies, started when somebody needs it."""
    with ExitStack() as stack:
        started: dict[str, BrowserContext] = {}

        def context(cookies: str) -> BrowserContext:
            if cookies not in started:
                profile = tmp_path_factory.mktemp(cookies)
                started[cookies] = stack.enter_context(chromium_with(playwright, chromium, profile, cookies))
            return started[cookies]

        yield context


@pytest.fixture
def shopper(request: pytest.FixtureRequest, around: Parents, contexts: Callable[[str], BrowserContext]) -> Shopper:
    """Somebody who was never here before, whose browser blocks third-party cookies unless a test says otherwise."""
    context = contexts(getattr(request, "param", "blocked"))
    context.clear_cookies()
    for page in context.pages[1:]:
        page.close()
    page = context.pages[0]
    page.goto("about:blank")
    return Shopper(around, page)


with_cookies = pytest.mark.parametrize(
    "shopper", ["blocked", pytest.param("allowed", marks=pytest.mark.full)], indirect=True
)


def known(shopper: Shopper, email: str) -> None:
    """A customer, signed in, in the frame that is open."""
    shopper.visit(**{"data-page": "register"})
    shopper.register(email)


def is_refused(frame: Frame) -> bool:
    """Whether a frame holds the browser's own page in place of what it was to show."""
    return frame.url.startswith("chrome-error:")


class TestJourney:
    @with_cookies
    def test_register_sign_in_and_sign_out_without_leaving_the_shop(
        self, request: pytest.FixtureRequest, shopper: Shopper
    ) -> None:
        email = f"{request.node.callspec.id}@example.com"
        shopper.visit(**{"data-page": "register", "data-nonce": NONCE})
        shopper.register(email)
        (signed_in,) = shopper.told("portal:signed-in")
        assert signed_in["detail"].keys() == {"code", "nonce"}
        assert signed_in["detail"]["nonce"] == NONCE
        taken = shopper.parents.redeem(**signed_in["detail"])
        assert (taken["success"], taken["account"]["email"]) == (True, email)
        assert shopper.parents.redeem(**signed_in["detail"])["errorCode"] == "E003"

        shopper.fill("Sign out")
        shopper.heading("Sign in")
        assert shopper.told("portal:signed-out")[0]["detail"] == {}

        shopper.fill("Sign in", email=email, password=PASSWORD)
        shopper.heading(HELLO)
        again = shopper.told("portal:signed-in", 2)[1]["detail"]
        assert shopper.parents.redeem(**again)["account"]["email"] == email

        shopper.fill("Sign out")
        shopper.fill("Email me a sign-in link", email=email)
        shopper.heading("Check your email")
        shopper.fill("Sign in", code=shopper.parents.mailed(email, "Sign in to")[0])
        shopper.heading(HELLO)
        assert len(shopper.told("portal:signed-in", 3)) == 3
        assert urlsplit(shopper.page.url).hostname == SHOP

    @with_cookies
    def test_the_frames_session_is_not_seen_at_top_level_nor_the_other_way_round(
        self, request: pytest.FixtureRequest, shopper: Shopper
    ) -> None:
        known(shopper, f"apart-{request.node.callspec.id}@example.com")
        top = shopper.page.context.new_page()
        top.goto(f"{shopper.parents.portal}/account")
        expect(top).to_have_url(re.compile("/login"))
        names = {cookie["name"]: cookie for cookie in shopper.page.context.cookies(shopper.parents.portal)}
        assert names.keys() == {"__Host-portal", "__Host-portal-frame", "__Host-device-frame"}
        assert (names["__Host-portal"]["sameSite"], names["__Host-portal-frame"]["sameSite"]) == ("Lax", "None")

    def test_a_reload_is_told_again_with_the_next_nonce_only(self, shopper: Shopper) -> None:
        known(shopper, "reload@example.com")
        shopper.told("portal:signed-in")
        shopper.visit(**{"data-nonce": NONCE})
        assert shopper.told("portal:signed-in")[0]["detail"]["nonce"] == NONCE
        shopper.visit(**{"data-nonce": NONCE})
        shopper.heading(HELLO)
        shopper.page.wait_for_timeout(300)
        assert [event for event in shopper.page.evaluate("told") if event["type"] == "portal:signed-in"] == []

    def test_a_nonce_of_the_scripts_own_is_one_that_a_code_is_given_for(self, shopper: Shopper) -> None:
        known(shopper, "own-nonce@example.com")
        detail = shopper.told("portal:signed-in")[0]["detail"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{22,128}", detail["nonce"])
        assert shopper.parents.redeem(**detail)["success"] is True

    def test_with_a_short_nonce_nobody_is_handed_over_and_the_console_says_why(self, shopper: Shopper) -> None:
        said: list[str] = []
        shopper.page.on("console", lambda message: said.append(message.text))
        known(shopper, "short-nonce@example.com")
        shopper.told("portal:signed-in")  # with a nonce of the script's own; the answer to it is not the one below
        assert said == []
        with shopper.page.expect_response(lambda response: response.url.endswith("/handover")) as asked:
            shopper.visit(**{"data-nonce": "n1"})
        assert asked.value.json() == {}
        shopper.heading(HELLO)
        assert [event for event in shopper.page.evaluate("told") if event["type"] == "portal:signed-in"] == []
        assert said == ["portal: data-nonce needs 22 to 128 of A-Z a-z 0-9 _ -"]

    def test_the_mailed_link_signs_in_nobody_elses_window(self, shopper: Shopper) -> None:
        known(shopper, "link@example.com")
        shopper.fill("Sign out")
        shopper.fill("Email me a sign-in link", email="link@example.com")
        shopper.heading("Check your email")
        code, link = shopper.parents.mailed("link@example.com", "Sign in to")
        top = shopper.page.context.new_page()
        top.goto(link)
        expect(top.get_by_text("enter the code from the email there")).to_be_visible()
        shopper.heading("Check your email")
        shopper.fill("Sign in", code=code)
        shopper.heading(HELLO)
        top.goto(f"{shopper.parents.portal}/account")
        expect(top).to_have_url(re.compile("/login"))

    def test_a_password_is_changed_in_a_tab_of_its_own(self, shopper: Shopper) -> None:
        known(shopper, "change@example.com")
        with shopper.page.context.expect_page() as opened:
            shopper.frame.get_by_role("link", name="Change password").click()
        expect(opened.value).to_have_url(re.compile("/login"))  # which does not know who is in the frame
        shopper.heading(HELLO)

    def test_the_password_is_judged_while_it_is_typed(self, shopper: Shopper) -> None:
        shopper.visit(**{"data-page": "register"})
        shopper.frame.locator("[name=password]").fill("password")
        expect(shopper.frame.locator(".verdict")).to_have_text(re.compile("too easy"))


class TestWithoutCookies:
    @pytest.mark.parametrize("shopper", ["refused"], indirect=True)
    def test_the_way_out_is_a_new_tab_that_ends_at_the_shop_with_a_code(self, shopper: Shopper) -> None:
        email = "refused@example.com"
        shopper.visit(**{"data-page": "register", "data-nonce": NONCE, "data-state": "s1"})
        fields: dict[str, Any] = {"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
        shopper.fill("Create an account", **fields)
        shopper.heading("Continue in a new tab")
        with shopper.page.context.expect_page() as opened:
            shopper.frame.get_by_role("link", name="Continue in a new tab").click()
        tab = opened.value
        for name, text in fields.items():
            tab.locator(f"main [name={name}]").fill(text)
        tab.get_by_role("button", name="Create an account").click()
        tab.locator("[name=code]").fill(shopper.parents.mailed(email, "Confirm")[0])
        tab.get_by_role("button", name="Confirm email address").click()
        tab.wait_for_url(f"{shopper.parents.shop}/**")
        answer = parse_qs(urlsplit(tab.url).query)
        assert answer["state"] == ["s1"]
        assert shopper.parents.redeem(answer["code"][0], NONCE)["account"]["email"] == email


class TestWhoMayShowIt:
    @pytest.mark.parametrize("path", ["/login", "/register", "/account"])
    def test_a_foreign_site_shows_the_browsers_error_page(self, shopper: Shopper, path: str) -> None:
        said: list[str] = []
        shopper.page.on("console", lambda message: said.append(message.text))
        shopper.page.goto(f"{shopper.parents.front.url(THIEF)}/bare?path={path}")
        shopper.wait_until(lambda: any("frame-ancestors" in words for words in said))
        shopper.wait_until(lambda: is_refused(shopper.page.frames[1]))
        assert shopper.frame.locator("h1", has_text="Sign in").count() == 0
        assert shopper.page.evaluate("heard") == []

    def test_a_listed_site_does_not_help_a_foreign_one_around_it(self, shopper: Shopper) -> None:
        shopper.page.goto(f"{shopper.parents.front.url(THIEF)}/bare")
        shopper.page.locator("iframe").evaluate("(frame, url) => { frame.src = url }", f"{shopper.parents.shop}/")
        shopper.wait_until(lambda: [is_refused(frame) for frame in shopper.page.frames[1:]] == [False, True])
        assert shopper.frame.frame_locator("iframe").locator("h1", has_text="Sign in").count() == 0

    @pytest.mark.parametrize("path", ["/account/password", f"/password/reset/{'x' * 40}"])
    def test_not_even_a_listed_one_shows_pages_that_change_a_credential(self, shopper: Shopper, path: str) -> None:
        if path == "/account/password":
            known(shopper, "never@example.com")
        shopper.page.goto(f"{shopper.parents.shop}/bare?path={path}")
        shopper.wait_until(lambda: is_refused(shopper.page.frames[1]))

    def test_each_listed_site_has_a_session_of_its_own(self, shopper: Shopper) -> None:
        known(shopper, "sites@example.com")
        shopper.visit(OTHER)
        shopper.heading("Sign in")
        shopper.visit()
        shopper.heading(HELLO)


class TestMessages:
    def test_they_come_from_the_portal_and_carry_nothing_personal(self, shopper: Shopper) -> None:
        known(shopper, "messages@example.com")
        shopper.told("portal:signed-in")
        heard = shopper.page.evaluate("heard")
        assert {message["origin"] for message in heard} == {shopper.parents.portal}
        shapes = {"resize": {"height"}, "signed-in": {"code"}, "signed-out": set[str]()}
        for message in heard:
            data = message["data"]
            assert (data["source"], data["v"]) == ("portal", 1)
            assert data.keys() == {"source", "v", "type"} | shapes[data["type"]]

    def test_forged_ones_are_ignored(self, shopper: Shopper) -> None:
        shopper.visit()
        shopper.heading("Sign in")
        shopper.told("portal:resize")
        before = shopper.page.evaluate("told.length"), shopper.height
        good = {"source": "portal", "v": 1, "type": "signed-in", "code": "forged"}
        # From this window itself, and from a frame of another site beside the portal's.
        shopper.page.evaluate("message => postMessage(message, '*')", good)
        shopper.page.evaluate(
            "url => new Promise(done => { const other = document.createElement('iframe'); other.id = 'forger';"
            " other.src = url; other.onload = done; document.body.append(other) })",
            f"{shopper.parents.front.url(THIEF)}/forger",
        )
        forger = next(frame for frame in shopper.page.frames if frame.url.endswith("/forger"))
        forger.evaluate("message => parent.postMessage(message, '*')", good)
        forger.evaluate("() => parent.postMessage({ source: 'portal', v: 1, type: 'resize', height: 9999 }, '*')")
        # From the portal's own origin, but not from the frame: a second frame that our script did not make.
        shopper.page.evaluate(
            "url => new Promise(done => { const other = document.createElement('iframe'); other.id = 'second';"
            " other.src = url; other.onload = done; document.body.append(other) })",
            f"{shopper.parents.portal}/register",
        )
        shopper.page.wait_for_timeout(300)
        after = shopper.page.evaluate("told.length"), shopper.page.locator("iframe").first.bounding_box()["height"]  # type: ignore[index] # it is on the screen
        assert after == before

    def test_the_wrong_shape_is_ignored_even_from_the_frame(self, shopper: Shopper) -> None:
        shopper.visit()
        shopper.told("portal:resize")
        shopper.heading("Sign in")
        before = shopper.page.evaluate("told.length"), shopper.height
        for shape in SHAPELESS:
            self.send(shopper, shape)
            assert (shopper.page.evaluate("told.length"), shopper.height) == before, shape

    def test_heights_stay_within_what_the_page_allows(self, shopper: Shopper) -> None:
        shopper.visit(**{"data-min-height": "250", "data-max-height": "900"})
        shopper.told("portal:resize")
        shopper.heading("Sign in")
        for height, shown in ((1e9, 900), (-5, 250), (0, 250), (640.2, 641)):
            self.send(shopper, {"source": "portal", "v": 1, "type": "resize", "height": height})
            assert shopper.height == shown

    def send(self, shopper: Shopper, message: Any) -> None:
        """Send a message as the portal's own page would, and wait until it has come in."""
        count = shopper.page.evaluate("heard.length")
        (portal,) = (frame for frame in shopper.page.frames[1:])
        portal.evaluate("([message, to]) => parent.postMessage(message, to)", [message, shopper.parents.shop])
        shopper.page.wait_for_function("count => heard.length > count", arg=count)


class TestHeight:
    def test_it_follows_the_content_in_both_directions(self, shopper: Shopper) -> None:
        shopper.visit()
        self.fits(shopper)
        short = shopper.height
        shopper.fill("Sign in")  # a summary of problems, and words beside the fields
        expect(shopper.frame.get_by_role("alert")).to_be_visible()
        self.fits(shopper)
        assert shopper.height > short
        shopper.frame.get_by_role("link", name="Forgot your password?").click()
        expect(shopper.frame.get_by_role("button", name="Email me a reset link")).to_be_visible()
        self.fits(shopper)
        assert shopper.height < short
        for width in (320, 1280):
            shopper.page.set_viewport_size({"width": width, "height": 720})
            self.fits(shopper)

    def fits(self, shopper: Shopper) -> None:
        """Nothing of the page is cut off, and nothing is left over, once the site has been told how high it is."""

        def does() -> bool:
            (portal,) = shopper.page.frames[1:]
            whole, body, shown = portal.evaluate(
                "[document.documentElement.scrollHeight, document.body.offsetHeight, innerHeight]"
            )
            return bool(whole <= shown and abs(body - shopper.height) <= 1)

        shopper.wait_until(does)


class TestScript:
    def test_it_works_where_the_page_has_a_strict_policy(self, shopper: Shopper) -> None:
        said: list[str] = []
        shopper.page.on("console", lambda message: said.append(message.text))
        shopper.visit(strict="1")
        shopper.heading("Sign in")
        shopper.told("portal:resize")
        style = shopper.page.locator("iframe").evaluate(
            "frame => [frame.style.width, getComputedStyle(frame).borderWidth]"
        )
        assert style == ["100%", "0px"]
        assert said == []

    def test_options_choose_place_page_language_and_title(self, shopper: Shopper) -> None:
        shopper.visit(
            **{"data-element": "#place", "data-page": "register", "data-locale": "cs", "data-title": "Your account"}
        )
        shopper.heading("Vytvořit účet")
        expect(shopper.page.locator("#place > iframe")).to_have_attribute("title", "Your account")
        expect(shopper.frame.locator("html")).to_have_attribute("lang", "cs")
        assert shopper.told("portal:resize")[0]["on"] == "place"

    @pytest.mark.parametrize(("theme", "colour"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(26, 29, 32)")])
    def test_it_is_light_or_dark_as_the_page_wants(self, shopper: Shopper, theme: str, colour: str) -> None:
        shopper.page.emulate_media(color_scheme="dark" if theme == "light" else "light")
        shopper.visit(**{"data-theme": theme})
        expect(shopper.frame.locator("body")).to_have_css("background-color", colour)
        press_enter(shopper.frame.get_by_role("link", name="Forgot your password?"))
        shopper.heading("Forgot your password?")
        expect(shopper.frame.locator("body")).to_have_css("background-color", colour)
        assert found_by_axe(shopper.page.frames[1]) == {}
        shopper.page.emulate_media(color_scheme="light")

    def test_the_element_may_come_after_the_script(self, shopper: Shopper) -> None:
        shopper.visit(early="1", **{"data-element": "#place"})
        expect(shopper.page.locator("#place > iframe")).to_have_count(1)

    def test_in_the_head_without_an_element_it_says_what_to_do(self, shopper: Shopper) -> None:
        said: list[str] = []
        shopper.page.on("console", lambda message: said.append(message.text))
        shopper.visit(head="1")
        assert said == ["portal: move this script to where the frame goes, or name a data-element"]
        expect(shopper.page.locator("iframe")).to_have_count(0)
        shopper.visit(head="1", **{"data-element": "#place"})
        expect(shopper.page.locator("#place > iframe")).to_have_count(1)

    def test_a_page_elsewhere_is_not_shown(self, shopper: Shopper) -> None:
        for page in ("https://thief.test/", "//thief.test/", "/\\thief.test"):
            shopper.visit(**{"data-page": page})
            found = [frame.url for frame in shopper.page.frames[1:]]
            assert all("thief" not in (urlsplit(url).hostname or "") for url in found)

    def test_loaded_twice_for_one_place_it_makes_one_frame(self, shopper: Shopper) -> None:
        shopper.visit(times="2", **{"data-element": "#place"})
        expect(shopper.page.locator("iframe")).to_have_count(1)
        shopper.heading("Sign in")

    def test_two_frames_on_one_page_are_told_apart(self, shopper: Shopper) -> None:
        known(shopper, "two@example.com")
        shopper.fill("Sign out")
        shopper.heading("Sign in")
        shopper.visit(times="2")
        frames = [shopper.page.frame_locator("iframe").nth(number) for number in (0, 1)]
        for frame in frames:
            expect(frame.locator("h1")).to_have_text("Sign in")
        # The second was opened last, and its nonce is the newest that the portal knows; the first signs in.
        shopper.fill("Sign in", frames[0], email="two@example.com", password=PASSWORD)
        expect(frames[0].locator("h1")).to_have_text(HELLO)
        first = shopper.told("portal:signed-in")[0]["detail"]
        assert shopper.parents.redeem(**first)["success"] is True
        shopper.page.frames[2].goto(f"{shopper.parents.portal}/account")
        told = shopper.told("portal:signed-in", 2)[1]["detail"]
        assert told["nonce"] != first["nonce"]
        assert shopper.parents.redeem(**told)["success"] is True

    @pytest.mark.parametrize("how", ["place.portal.remove()", "place.replaceChildren()", "place.remove()"])
    def test_it_leaves_nothing_behind(self, shopper: Shopper, how: str) -> None:
        shopper.visit(**{"data-element": "#place"})
        shopper.told("portal:resize")
        shopper.page.evaluate(f"() => {{ window.place = document.querySelector('#place'); {how} }}")
        expect(shopper.page.locator("iframe")).to_have_count(0)
        assert shopper.page.evaluate("'portal' in place") is False

    @pytest.mark.full
    @pytest.mark.parametrize("page", ["login", "register", "account"])
    def test_axe_finds_nothing_in_the_frame_nor_around_it(self, shopper: Shopper, page: str) -> None:
        if page == "account":
            known(shopper, "axe@example.com")
        shopper.visit(**{"data-page": page})
        expect(shopper.frame.locator("h1")).to_be_visible()
        for part in (shopper.page.frames[1], shopper.page.main_frame):
            assert found_by_axe(part) == {}
