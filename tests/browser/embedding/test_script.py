"""The script that shows the portal on a page of another site: its options, messages and height."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.checks import found_by_axe
from tests.browser.embedding.conftest import HELLO, sign_up
from tests.browser.parents import THIEF, Shopper
from tests.browser.visitor import PASSWORD, press_enter

pytestmark = pytest.mark.browser

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


class TestMessages:
    @pytest.mark.full
    def test_messages_come_from_the_portal_without_personal_data(self, shopper: Shopper) -> None:
        sign_up(shopper, "messages@example.com")
        shopper.told("portal:signed-in")
        heard = shopper.page.evaluate("heard")
        assert {message["origin"] for message in heard} == {shopper.parents.portal}
        shapes = {"resize": {"height"}, "signed-in": {"code"}, "signed-out": set[str]()}
        for message in heard:
            data = message["data"]
            assert (data["source"], data["v"]) == ("portal", 1)
            assert data.keys() == {"source", "v", "type"} | shapes[data["type"]]

    @pytest.mark.full
    def test_forged_messages_are_ignored(self, shopper: Shopper) -> None:
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

    def test_malformed_messages_are_ignored_even_from_the_frame(self, shopper: Shopper) -> None:
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
        """Send a message as the portal's page does, and wait until it is received."""
        count = shopper.page.evaluate("heard.length")
        (portal,) = (frame for frame in shopper.page.frames[1:])
        portal.evaluate("([message, to]) => parent.postMessage(message, to)", [message, shopper.parents.shop])
        shopper.page.wait_for_function("count => heard.length > count", arg=count)


class TestHeight:
    @pytest.mark.full
    def test_the_height_follows_the_content_in_both_directions(self, shopper: Shopper) -> None:
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
        for width in (320, 1280, 375):
            shopper.page.set_viewport_size({"width": width, "height": 720})
            self.fits(shopper)
        (portal,) = shopper.page.frames[1:]
        body = portal.evaluate("document.body.offsetHeight")
        shopper.page.locator("iframe").evaluate("frame => { frame.style.height = '900px'; }")
        shopper.wait_until(lambda: portal.evaluate("innerHeight") == 900)
        assert portal.evaluate("document.body.offsetHeight") == body  # the content does not follow the height

    def fits(self, shopper: Shopper) -> None:
        """Wait until the frame is as high as its page."""

        def does() -> bool:
            (portal,) = shopper.page.frames[1:]
            whole, body, shown = portal.evaluate(
                "[document.documentElement.scrollHeight, document.body.offsetHeight, innerHeight]"
            )
            return bool(whole <= shown and abs(body - shopper.height) <= 1)

        shopper.wait_until(does)


class TestScript:
    def test_it_works_under_a_strict_content_security_policy(self, shopper: Shopper) -> None:
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

    def test_a_page_of_another_origin_is_not_shown(self, shopper: Shopper) -> None:
        for page in ("https://thief.test/", "//thief.test/", "/\\thief.test"):
            shopper.visit(**{"data-page": page})
            found = [frame.url for frame in shopper.page.frames[1:]]
            assert all("thief" not in (urlsplit(url).hostname or "") for url in found)

    def test_loaded_twice_for_one_element_it_creates_one_frame(self, shopper: Shopper) -> None:
        shopper.visit(times="2", **{"data-element": "#place"})
        expect(shopper.page.locator("iframe")).to_have_count(1)
        shopper.heading("Sign in")

    @pytest.mark.full
    def test_two_frames_on_one_page_are_distinguished(self, shopper: Shopper) -> None:
        sign_up(shopper, "two@example.com")
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

    @pytest.mark.full
    def test_two_frames_finish_loading_at_once(self, shopper: Shopper) -> None:
        """Chromium does not fire `load` for two pages of one process that use the same file of SVG symbols."""
        sign_up(shopper, "loading@example.com")
        for _ in range(15):
            shopper.visit(times="2", **{"data-page": "account"})
            for frame in shopper.page.frames[1:]:
                frame.goto(f"{shopper.parents.portal}/account")

    @pytest.mark.full
    @pytest.mark.parametrize("how", ["place.portal.remove()", "place.replaceChildren()", "place.remove()"])
    def test_removing_the_frame_removes_its_listeners(self, shopper: Shopper, how: str) -> None:
        shopper.visit(**{"data-element": "#place"})
        shopper.told("portal:resize")
        shopper.page.evaluate(f"() => {{ window.place = document.querySelector('#place'); {how} }}")
        expect(shopper.page.locator("iframe")).to_have_count(0)
        assert shopper.page.evaluate("'portal' in place") is False

    @pytest.mark.full
    @pytest.mark.parametrize("page", ["login", "register", "account"])
    def test_axe_finds_nothing_in_the_frame_nor_around_it(self, shopper: Shopper, page: str) -> None:
        if page == "account":
            sign_up(shopper, "axe@example.com")
        shopper.visit(**{"data-page": page})
        expect(shopper.frame.locator("h1")).to_be_visible()
        for part in (shopper.page.frames[1], shopper.page.main_frame):
            assert found_by_axe(part) == {}
