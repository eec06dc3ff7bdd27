import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import BrowserContext, Playwright

from tests.browser.parents import Parents, Shopper, chromium_with, parents

NONCE = "of-the-session-at-the-shop"
HELLO = re.compile("Ada Quill")


@pytest.fixture(scope="package")
def around(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Parents]:
    with parents(tmp_path_factory.mktemp("parents")) as sites:
        yield sites


@pytest.fixture(scope="package")
def contexts(
    tmp_path_factory: pytest.TempPathFactory, chromium: str, playwright: Playwright
) -> Iterator[Callable[[str], BrowserContext]]:
    """Return a function that starts a browser with some cookie settings, or returns the one that runs."""
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
    """Return a new customer, whose browser blocks third-party cookies unless the test sets it otherwise."""
    context = contexts(getattr(request, "param", "blocked"))
    context.clear_cookies()
    for page in context.pages[1:]:
        page.close()
    page = context.pages[0]
    page.goto("about:blank")
    return Shopper(around, page)


def sign_up(shopper: Shopper, email: str) -> None:
    """Open the frame, and register and sign in a customer in it."""
    shopper.visit(**{"data-page": "register"})
    shopper.register(email)
