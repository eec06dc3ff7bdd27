"""The device cookie, by which a browser is known to the customers who signed in with it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from portal.domain.operations.delete_customer import delete_customer
from portal.domain.tokens import digest_of, random_id
from portal.domain.values.email import parse_email
from portal.storage.models import Contact
from tests.passing_time import passing_time
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.framing import Framed, allow
from tests.web.post import code_in

EMAIL, SECOND_EMAIL = "ada@example.com", "grace@example.com"
SECOND = "nine grey otters swim"
HTTPS = "https://portal.example.com"
NAME, FRAMED_NAME = "__Host-device", "__Host-device-frame"
YEAR = 365 * 24 * 60 * 60


def device_cookies(page: Page) -> list[list[str]]:
    """Return the device cookies that a response sets: name and value, and attributes."""
    cookies = [cookie.split("; ") for cookie in page.headers.getlist("Set-Cookie")]
    return [cookie for cookie in cookies if "device" in cookie[0].partition("=")[0]]


def spray(site: Site, email: str = EMAIL) -> None:
    """Use up all limits of an address: passwords, sign-in emails, registration emails."""
    for number in range(11):
        stranger = site.browser(f"198.51.100.{number}")
        stranger.sign_in(email, "wrong")
        stranger.ask_for_reset(email)
        stranger.register(email, PASSWORD)


def by_password(site: Site, browser: Browser) -> Page:
    return browser.sign_in(EMAIL, PASSWORD)


def by_link(site: Site, browser: Browser) -> Page:
    browser.fill("/login/link", {"email": EMAIL})
    return browser.fill(site.link(EMAIL))


def by_code(site: Site, browser: Browser) -> Page:
    browser.fill("/login/link", {"email": EMAIL})
    code = code_in(site.mails(EMAIL)[-1])
    return browser.fill("/login/code", {"code": code}, submit_to="/login/code")


def by_confirming(site: Site, browser: Browser) -> Page:
    browser.register(SECOND_EMAIL, PASSWORD)
    return browser.fill(site.link(SECOND_EMAIL))


every_way_in = pytest.mark.parametrize("way_in", [by_password, by_link, by_code, by_confirming])
WayIn = Callable[[Site, Browser], Page]


@pytest.fixture
def shop(start: Start) -> Site:
    """A portal over https that a shop may show in a frame, with a customer."""
    site = allow(start(BASE_URL=HTTPS))
    site.customer(EMAIL)
    return site


class TestCookie:
    @every_way_in
    def test_every_sign_in_sets_the_device_cookie_for_a_year(self, shop: Site, way_in: WayIn) -> None:
        answer = way_in(shop, shop.browser())
        assert answer.status == 302
        ((name_and_value, *attributes),) = device_cookies(answer)
        assert name_and_value.startswith(f"{NAME}=")
        attributes = [each for each in attributes if not each.startswith("Expires=")]
        assert sorted(attributes) == ["HttpOnly", f"Max-Age={YEAR}", "Path=/", "SameSite=Lax", "Secure"]

    def test_without_https_the_device_cookie_is_not_secure(self, site: Site) -> None:
        site.customer(EMAIL)
        ((name_and_value, *attributes),) = device_cookies(site.browser().sign_in(EMAIL, PASSWORD))
        assert name_and_value.startswith("device=")
        assert not {"Secure", "Partitioned"} & set(attributes)

    def test_nothing_else_sets_the_device_cookie(self, shop: Site) -> None:
        browser = shop.browser()
        answers = [
            browser.send("/login"),
            browser.sign_in(EMAIL, "wrong"),
            browser.register("eve@example.com", PASSWORD),
            browser.ask_for_reset(EMAIL),
            browser.open(shop.link(EMAIL)),
        ]
        assert [device_cookies(answer) for answer in answers] == [[]] * 5
        assert browser.cookie(NAME) is None

    def test_the_database_holds_a_digest_of_the_device_cookie(self, shop: Site) -> None:
        browser = shop.browser()
        browser.sign_in(EMAIL, PASSWORD)
        value = browser.cookie(NAME)
        assert value is not None
        assert digest_of(value) in [row["digest"] for row in shop.rows()["device"]]
        assert value not in str(shop.rows())

    def test_the_device_cookie_survives_signing_out_and_signing_in_renews_it(self, shop: Site) -> None:
        browser = shop.browser()
        browser.sign_in(EMAIL, PASSWORD)
        value = browser.cookie(NAME)
        assert device_cookies(browser.sign_out()) == []
        ((name_and_value, *attributes),) = device_cookies(browser.sign_in(EMAIL, PASSWORD))
        assert (name_and_value, browser.cookie(NAME)) == (f"{NAME}={value}", value)
        assert f"Max-Age={YEAR}" in attributes

    @pytest.mark.parametrize("planted", ["a1" * 16, "x", "é" * 32, "a" * 3000, "../../etc"])
    def test_an_invented_device_cookie_is_replaced(self, shop: Site, planted: str) -> None:
        browser = shop.browser()
        browser.set_cookie(planted, NAME)
        assert browser.sign_in(EMAIL, PASSWORD).status == 302
        assert browser.cookie(NAME) != planted
        assert len(browser.cookie(NAME) or "") == 32

    def test_the_frame_has_its_own_cookie(self, shop: Site) -> None:
        browser = Framed(shop.app)
        ((name_and_value, *attributes),) = device_cookies(browser.sign_in(EMAIL, PASSWORD))
        assert name_and_value.startswith(f"{FRAMED_NAME}=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"} <= set(attributes)
        assert browser.cookie(NAME) is None

    def test_there_is_no_frame_cookie_without_frame_ancestors(self, shop: Site) -> None:
        allow(shop, frame=())
        assert device_cookies(Framed(shop.app).sign_in(EMAIL, PASSWORD)) == []


class TestKnownDevices:
    @pytest.mark.parametrize("framed", [False, True])
    def test_the_owner_can_sign_in_by_password_email_and_reset_during_a_password_spray(
        self, shop: Site, framed: bool
    ) -> None:
        browser = Framed(shop.app) if framed else shop.browser()
        assert browser.sign_in(EMAIL, PASSWORD).status == 302
        browser.sign_out()
        spray(shop)
        stranger = shop.browser()
        assert stranger.sign_in(EMAIL, PASSWORD).status == 429
        assert stranger.fill("/login/link", {"email": EMAIL}).status == 429
        assert stranger.ask_for_reset(EMAIL).status == 429

        assert browser.sign_in(EMAIL, PASSWORD).status == 302
        browser.sign_out()
        assert by_code(shop, browser).status == 302
        browser.sign_out()
        assert browser.ask_for_reset(EMAIL).status == 302
        assert shop.browser().fill(shop.link(EMAIL), {"password": SECOND}).status == 302
        assert browser.sign_in(EMAIL, SECOND).status == 302

    def test_100_wrong_passwords_elsewhere_do_not_lock_the_password_for_the_owner(self, shop: Site) -> None:
        browser = shop.browser()
        browser.sign_in(EMAIL, PASSWORD)
        with shop.context.database.write() as connection:
            connection.execute(update(Contact).values(failed_passwords=100))
        typed = {"current_password": PASSWORD, "password": SECOND}
        assert browser.fill("/account/password", typed, submit_to="/account/password").status == 302
        browser.sign_out()
        assert shop.browser().sign_in(EMAIL, SECOND).status == 422
        assert browser.sign_in(EMAIL, SECOND).status == 302

    def test_a_device_cookie_of_another_customer_or_an_invented_one_is_unknown(self, shop: Site) -> None:
        shop.customer(SECOND_EMAIL)
        foreign = shop.browser()
        foreign.sign_in(SECOND_EMAIL, PASSWORD)
        foreign.sign_out()
        invented = shop.browser()
        invented.set_cookie(random_id(), NAME)
        spray(shop)
        for browser in (foreign, invented):
            assert browser.sign_in(EMAIL, PASSWORD).status == 429
            assert browser.ask_for_reset(EMAIL).status == 429

    def test_two_customers_of_one_browser_share_a_device_cookie(self, shop: Site) -> None:
        shop.customer(SECOND_EMAIL)
        browser = shop.browser()
        browser.sign_in(EMAIL, PASSWORD)
        value = browser.cookie(NAME)
        browser.sign_out()
        browser.sign_in(SECOND_EMAIL, PASSWORD)
        browser.sign_out()
        assert browser.cookie(NAME) not in (None, value)
        for email in (EMAIL, SECOND_EMAIL):
            spray(shop, email)
            assert browser.sign_in(email, PASSWORD).status == 302
            browser.sign_out()

    def test_the_device_is_deleted_with_the_account(self, shop: Site) -> None:
        shop.customer(SECOND_EMAIL)
        browser = shop.browser()
        browser.sign_in(EMAIL, PASSWORD)
        value = browser.cookie(NAME)
        delete_customer(shop.context, 1, parse_email(EMAIL))
        assert len(shop.rows()["device"]) == 1, "that of the other customer"
        browser.sign_in(SECOND_EMAIL, PASSWORD)
        assert browser.cookie(NAME) != value

    @pytest.mark.on_sqlite  # this test moves the time
    def test_a_device_unused_for_a_year_is_unknown(self, shop: Site) -> None:
        browser = shop.browser()
        with passing_time(shop.context.clock()) as clock:
            browser.sign_in(EMAIL, PASSWORD)
            value = browser.cookie(NAME) or ""
            clock.shift(timedelta(days=365))
            browser.set_cookie(value, NAME)  # a browser would not keep it so long
            spray(shop)
            assert browser.sign_in(EMAIL, PASSWORD).status == 429

    def test_wrong_passwords_look_the_same_with_a_cookie(self, shop: Site) -> None:
        """A device cookie of another customer does not reveal whether an address is known."""
        shop.customer(SECOND_EMAIL)
        browser = shop.browser()
        browser.sign_in(SECOND_EMAIL, PASSWORD)
        browser.sign_out()
        answers = []
        for email in (EMAIL, "nobody@example.com"):
            with shop.statements() as statements:
                page = browser.sign_in(email, "wrong")
            answers.append((page.status, page.words.replace(email, "…"), statements))
        assert answers[0] == answers[1]
