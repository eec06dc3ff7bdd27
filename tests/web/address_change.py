"""Change the email address on the pages."""

from tests.web.browser import Browser, Page
from tests.web.conftest import Site

EMAIL, NEW, EVE, BOB = "ada@example.com", "ada.new@example.com", "eve@example.org", "bob@example.com"
OTHER_PASSWORD = "nine grey otters swim"
PATH, CODE, REAUTHENTICATE = "/account/email", "/account/email/code", "/reauthenticate"


def ask(browser: Browser, email: str = NEW) -> Page:
    """Request a change; return the response to the form."""
    return browser.fill(PATH, {"email": email}, submit_to=PATH)


def change(site: Site, browser: Browser, email: str = NEW) -> str:
    """Change the address by the link; return the path of the link that undoes it."""
    (present,) = {row["email"] for row in site.rows()["contact"]}
    ask(browser, email)
    assert browser.fill(site.link(email)).status == 302
    return site.link(present)


def address_on(browser: Browser) -> str:
    page = browser.open("/account/security").tree.one("main")
    return page.one("section", aria_labelledby="email").all("bdi")[0].text


def notices(page: Page) -> list[str]:
    return [notice.text for notice in page.tree.all("p", role="status") if "notice" in notice.get("class")]
