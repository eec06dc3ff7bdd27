"""The portal in a frame on a page of another site, over TLS, in browsers that accept or block cookies."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Frame, expect

from tests.browser.checks import found_by_axe
from tests.browser.embedding.conftest import HELLO, NONCE, sign_up
from tests.browser.parents import OTHER, SHOP, THIEF, Shopper
from tests.browser.visitor import PASSWORD

pytestmark = pytest.mark.browser


with_cookies = pytest.mark.parametrize(
    "shopper", ["blocked", pytest.param("allowed", marks=pytest.mark.full)], indirect=True
)


def is_refused(frame: Frame) -> bool:
    """Return whether the browser refused to show the page of a frame."""
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

    @pytest.mark.full
    @with_cookies
    def test_sessions_of_the_frame_and_the_top_level_are_separate(
        self, request: pytest.FixtureRequest, shopper: Shopper
    ) -> None:
        sign_up(shopper, f"apart-{request.node.callspec.id}@example.com")
        top = shopper.page.context.new_page()
        top.goto(f"{shopper.parents.portal}/account")
        expect(top).to_have_url(re.compile("/login"))
        names = {cookie["name"]: cookie for cookie in shopper.page.context.cookies(shopper.parents.portal)}
        assert names.keys() == {"__Host-portal", "__Host-portal-frame", "__Host-device-frame"}
        assert (names["__Host-portal"]["sameSite"], names["__Host-portal-frame"]["sameSite"]) == ("Lax", "None")

    @pytest.mark.full
    def test_a_reload_gets_a_code_for_the_next_nonce_only(self, shopper: Shopper) -> None:
        sign_up(shopper, "reload@example.com")
        shopper.told("portal:signed-in")
        shopper.visit(**{"data-nonce": NONCE})
        assert shopper.told("portal:signed-in")[0]["detail"]["nonce"] == NONCE
        shopper.visit(**{"data-nonce": NONCE})
        shopper.heading(HELLO)
        shopper.page.wait_for_timeout(300)
        assert [event for event in shopper.page.evaluate("told") if event["type"] == "portal:signed-in"] == []

    @pytest.mark.full
    def test_a_nonce_generated_by_the_script_gets_a_code(self, shopper: Shopper) -> None:
        sign_up(shopper, "own-nonce@example.com")
        detail = shopper.told("portal:signed-in")[0]["detail"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{22,128}", detail["nonce"])
        assert shopper.parents.redeem(**detail)["success"] is True

    @pytest.mark.full
    def test_a_short_nonce_gets_no_code_and_an_error_in_the_console(self, shopper: Shopper) -> None:
        said: list[str] = []
        shopper.page.on("console", lambda message: said.append(message.text))
        sign_up(shopper, "short-nonce@example.com")
        shopper.told("portal:signed-in")  # with a nonce of the script's own; the answer to it is not the one below
        assert said == []
        with shopper.page.expect_response(lambda response: response.url.endswith("/handover")) as asked:
            shopper.visit(**{"data-nonce": "n1"})
        assert asked.value.json() == {}
        shopper.heading(HELLO)
        assert [event for event in shopper.page.evaluate("told") if event["type"] == "portal:signed-in"] == []
        assert said == ["portal: data-nonce needs 22 to 128 of A-Z a-z 0-9 _ -"]

    @pytest.mark.full
    def test_the_emailed_link_signs_in_no_other_window(self, shopper: Shopper) -> None:
        sign_up(shopper, "link@example.com")
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

    @pytest.mark.full
    @pytest.mark.parametrize("width", [375, 1366])
    def test_the_account_pages_that_may_be_framed_stay_in_the_frame(self, shopper: Shopper, width: int) -> None:
        shopper.page.set_viewport_size({"width": width, "height": 800})
        sign_up(shopper, f"account-{width}@example.com")
        menu = shopper.frame.get_by_role("navigation", name="Account")

        menu.get_by_role("link", name="Profile").click()
        shopper.heading("Profile")
        shopper.fill("Save", first_name="Grace")
        expect(shopper.frame.get_by_role("status")).to_be_visible()
        expect(shopper.frame.locator("[name=first_name]")).to_have_value("Grace")
        for entry, heading in (("Activity", "Activity"), ("Overview", re.compile("Grace Quill"))):
            assert found_by_axe(shopper.page.frames[1]) == {}
            menu.get_by_role("link", name=entry).click()
            shopper.heading(heading)
        assert found_by_axe(shopper.page.frames[1]) == {}

        for entry in ("Security", "Sessions", "Your data"):
            with shopper.page.context.expect_page() as opened:
                menu.get_by_role("link", name=entry).click()
            expect(opened.value).to_have_url(re.compile("/login"))  # it does not have the session of the frame
        shopper.heading(re.compile("Grace Quill"))

    @pytest.mark.full
    def test_a_password_is_changed_in_a_new_tab(self, shopper: Shopper) -> None:
        sign_up(shopper, "change@example.com")
        with shopper.page.context.expect_page() as opened:
            shopper.frame.get_by_role("link", name="Change password").click()
        expect(opened.value).to_have_url(re.compile("/login"))  # it does not have the session of the frame
        shopper.heading(HELLO)

    def test_the_password_is_checked_while_it_is_typed(self, shopper: Shopper) -> None:
        shopper.visit(**{"data-page": "register"})
        shopper.frame.locator("[name=password]").fill("password")
        expect(shopper.frame.locator(".verdict")).to_have_text(re.compile("too easy"))


class TestWithoutCookies:
    @pytest.mark.full
    @pytest.mark.parametrize("shopper", ["refused"], indirect=True)
    def test_a_new_tab_signs_in_and_returns_to_the_shop_with_a_code(self, shopper: Shopper) -> None:
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


class TestFrameAncestors:
    @pytest.mark.parametrize("path", ["/login", "/register", "/account"])
    def test_an_unlisted_site_cannot_show_the_frame(self, shopper: Shopper, path: str) -> None:
        said: list[str] = []
        shopper.page.on("console", lambda message: said.append(message.text))
        shopper.page.goto(f"{shopper.parents.front.url(THIEF)}/bare?path={path}")
        shopper.wait_until(lambda: any("frame-ancestors" in words for words in said))
        shopper.wait_until(lambda: is_refused(shopper.page.frames[1]))
        assert shopper.frame.locator("h1", has_text="Sign in").count() == 0
        assert shopper.page.evaluate("heard") == []

    def test_a_listed_site_inside_an_unlisted_one_cannot_show_the_frame(self, shopper: Shopper) -> None:
        shopper.page.goto(f"{shopper.parents.front.url(THIEF)}/bare")
        shopper.page.locator("iframe").evaluate("(frame, url) => { frame.src = url }", f"{shopper.parents.shop}/")
        shopper.wait_until(lambda: [is_refused(frame) for frame in shopper.page.frames[1:]] == [False, True])
        assert shopper.frame.frame_locator("iframe").locator("h1", has_text="Sign in").count() == 0

    @pytest.mark.parametrize("path", ["/account/password", f"/password/reset/{'x' * 40}"])
    def test_a_listed_site_cannot_frame_pages_that_change_a_credential(self, shopper: Shopper, path: str) -> None:
        if path == "/account/password":
            sign_up(shopper, "never@example.com")
        shopper.page.goto(f"{shopper.parents.shop}/bare?path={path}")
        shopper.wait_until(lambda: is_refused(shopper.page.frames[1]))

    @pytest.mark.full
    def test_each_listed_site_has_a_session_of_its_own(self, shopper: Shopper) -> None:
        sign_up(shopper, "sites@example.com")
        shopper.visit(OTHER)
        shopper.heading("Sign in")
        shopper.visit()
        shopper.heading(HELLO)
