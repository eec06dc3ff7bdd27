"""What a customer and the script of a page do with a passkey."""

from typing import Any

from sqlalchemy import update

from portal.domain.recent_authentication import RECENT
from portal.storage.models import Identity
from tests.passkeys import Authenticator
from tests.web.browser import Browser, Page
from tests.web.conftest import Site

ORIGIN = "https://portal.example.com"
LIST, SIGN_IN, REAUTHENTICATE = "/account/passkeys", "/login/passkey", "/reauthenticate/passkey"
REFUSED = "We couldn't use this passkey."


def ask(browser: Browser, path: str, page: Page) -> dict[str, Any]:
    """Request options as the page's script does: those for the browser, and the challenge for the form."""
    headers = {"X-Portal-Framed": "1"} if "data-parents" in page.tree.one("html").attributes else {}
    answer: dict[str, Any] = browser.send(
        f"{path}/options", "POST", data={"csrf_token": page.forms[0].token}, headers=headers
    ).json
    return answer


def add(browser: Browser, keys: Authenticator) -> Page:
    page = browser.open(LIST)
    asked = ask(browser, LIST, page)
    form = page.form(LIST)
    return browser.post(form, {"credential": keys.create(asked["options"]), "challenge": asked["challenge"]})


def sign_in(browser: Browser, keys: Authenticator, path: str = "/login", **fields: str | None) -> Page:
    """Sign in from the sign-in page; `fields` adds or replaces fields of its form."""
    page = browser.open(path)
    asked = ask(browser, SIGN_IN, page)
    sent = {**page.form("/login").fields, "credential": keys.get(asked["options"]), "challenge": asked["challenge"]}
    data = {name: value for name, value in {**sent, **fields}.items() if value is not None}
    return browser.send(SIGN_IN, "POST", data=data)


def let_ten_minutes_pass(site: Site) -> None:
    past = site.context.clock() - RECENT
    with site.context.database.write() as connection:
        connection.execute(update(Identity).values(proved_at=past, second_step_at=past))


def box(page: Page) -> dict[str, str]:
    """Return the attributes of the part that the script shows."""
    (found,) = (element for element in page.tree.one("main").all("div") if "data-passkey" in element.attributes)
    return found.attributes
