"""A portal at an address where passkeys can be used, and a customer with one."""

import pytest

from tests.passkeys import Authenticator
from tests.web.browser import Browser
from tests.web.conftest import Site, Start
from tests.web.framing import EMAIL
from tests.web.passkeys.steps import LIST, ORIGIN, add


@pytest.fixture
def site(start: Start) -> Site:
    """Return a portal at an address where passkeys can be used."""
    return start(BASE_URL=ORIGIN)


@pytest.fixture
def keys() -> Authenticator:
    return Authenticator(ORIGIN)


@pytest.fixture
def keyed(site: Site, keys: Authenticator) -> Browser:
    """Return the signed-in browser of a customer with a passkey."""
    browser = site.customer(EMAIL)
    assert add(browser, keys).location == LIST
    return browser
