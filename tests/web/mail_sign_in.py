"""What a browser does to sign in by email."""

from tests.web.browser import Browser, Page
from tests.web.conftest import Site
from tests.web.post import code_in

EMAIL = "ada@example.com"


def ask(browser: Browser, email: str = EMAIL, **fields: str) -> Page:
    return browser.fill("/login/link", {"email": email, **fields})


def code_for(site: Site, email: str = EMAIL) -> str:
    """Return the code in the last email to an address."""
    return code_in(site.mails(email)[-1])


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def type_code(browser: Browser, code: str, path: str = "/login/code", **fields: str) -> Page:
    return browser.fill(path, {"code": code, **fields}, submit_to=path)
