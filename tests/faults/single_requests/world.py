"""A portal with a customer and a shop, and how a request is prepared so that a test can send it alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from portal.domain.values.email import Address, parse_email
from tests.api.shop import Shop
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.expectations import assert_error_page

ADA = "ada@example.com"
RETURN = "https://shop.example.com/welcome"
NONCE = "made-up-by-the-page_22"
Answer = tuple[int, Any]
Act = Callable[[], Answer]
"""One request of a customer, shop or operator: returns the status, and what else of the response must not change."""


@dataclass
class World:
    """A portal with a customer and a shop, who repeat the same requests."""

    site: Site
    shop: Shop
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    password: str = PASSWORD
    """The customer's password."""

    def address(self) -> str:
        """Return an unused address."""
        return f"somebody{next(self.numbers)}@example.com"

    def new_password(self) -> str:
        return f"eleven grey otters dive {next(self.numbers)}"

    def guest(self) -> Address:
        email = self.address()
        self.site.guest(email)
        return parse_email(email)

    def ada(self) -> Browser:
        """Return another signed-in browser of the existing customer."""
        browser = self.site.browser()
        assert browser.sign_in(ADA, self.password).status == 302
        return browser


def sending(browser: Browser, path: str, *, submit_to: str | None = None, **typed: Any) -> Act:
    """Open a page, and send its form later."""
    form = browser.open(path).form(submit_to)

    def send() -> Answer:
        page = browser.post(form, typed)
        if page.status == 503:
            assert_error_page(page, 503)
        return page.status, page.headers.get("Location", "").partition("?")[0]

    return send


def asking(world: World, endpoint: str, **body: Any) -> Act:
    def ask() -> Answer:
        answer = world.shop.post(endpoint, **body)
        return answer.status, answer.json.get("errorCode")

    return ask


def remembering(world: World, password: str, act: Act) -> Act:
    """Let a request set the customer's password, if it succeeds."""

    def remember() -> Answer:
        answer = act()
        if answer[0] != 503:
            world.password = password
        return answer

    return remember


def registration(world: World, email: str) -> Browser:
    browser = world.site.browser()
    assert browser.register(email, PASSWORD).status == 302
    return browser


Requests = list[Callable[[World], Act]]
