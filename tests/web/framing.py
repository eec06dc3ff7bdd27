"""A browser with the portal in a frame, and the handover of its sign-ins."""

import json
import re

from sqlalchemy import update

from portal.domain.context import Visitor
from portal.domain.identities import find
from portal.domain.use_cases.hand_over import redeem
from portal.storage.models import Organisation
from tests.web.browser import Browser, Page
from tests.web.conftest import Site

EMAIL = "ada@example.com"
SHOP = "https://shop.example.com"
FRAME = {"Sec-Fetch-Dest": "iframe"}
NONCE = "made-up-by-the-page_22"
ANOTHER = "of-the-next-page-of-it"


def allow(
    site: Site,
    *,
    frame: tuple[str, ...] = (SHOP,),
    back: tuple[str, ...] = (SHOP,),
    handover: tuple[str, ...] = (f"{SHOP}/welcome", f"{SHOP}/cart"),
) -> Site:
    """Set the lists of the organisation, as `portal organisation set` does."""
    lists = {"frame_ancestors": [*frame], "return_origins": [*back], "handover_urls": [*handover]}
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(lists))
    site.app.extensions["portal_directory"]._snapshot = None  # some seconds later
    return site


class Framed(Browser):
    """A browser with the portal in a frame."""

    def send(self, path: str, method: str = "GET", **options: object) -> Page:
        headers = {**FRAME, **dict(options.pop("headers", None) or {})}  # type: ignore[call-overload] # a dict
        return super().send(path, method, headers=headers, **options)


def framed(site: Site) -> Framed:
    return Framed(site.app, "192.0.2.10")


def ancestors(page: Page) -> str:
    found = re.search(r"frame-ancestors ([^;]*)", page.headers["Content-Security-Policy"])
    assert found is not None
    return found[1]


def event(page: Page) -> str | None:
    """Return the event that the page announces to the site around the frame."""
    return page.tree.one("html").attributes.get("data-event")


def told(browser: Browser, page: Page, nonce: str = NONCE) -> dict[str, str]:
    """Request a handover code as the script of a page does."""
    address = page.tree.one("html").get("data-handover")
    body = {"csrf_token": page.form("/logout").token, "nonce": nonce}
    headers = {"Sec-Fetch-Dest": "empty", "X-Portal-Framed": "1"}
    answer = browser.send(address, "POST", data=body, headers=headers)
    assert answer.status == 200
    found: dict[str, str] = json.loads(answer.body)
    return found


def redeemed(site: Site, code: str, nonce: str = NONCE) -> str | None:
    """Redeem a handover code, and return the email address of its customer."""
    identity = redeem(site.context, Visitor(organisation_id=1, ip=None), code, nonce)
    customer = find(site.context, 1, identity)
    return customer.email if customer else None
