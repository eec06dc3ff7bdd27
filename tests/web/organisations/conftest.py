from dataclasses import dataclass
from email.message import EmailMessage

import pytest

from portal.domain.operations.organisation_settings import (
    OrganisationChanges,
    Portal,
    add_organisation,
    change_organisation,
)
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.post import last_link

EMAIL = "ada@example.com"
OTHER_PASSWORD = "nine grey otters swim"
BASE_URL = "http://portal.example.com:5000"
STRANGE_NAME = "Sklo & <b>s. r. o.</b>"
LINKS: OrganisationChanges = {
    "privacy_url": "https://sklo.example/privacy?a=1&b=2",
    "terms_url": "https://sklo.example/terms",
    "support_email": "help+portal@sklo.example.com",
}


@dataclass(frozen=True)
class Shop:
    """An organisation of a site."""

    site: Site
    slug: str
    id: int
    name: str
    url: str
    sender: str

    def browser(self, address: str = "192.0.2.10") -> Browser:
        """Return a browser at the host of the organisation."""
        return Browser(self.site.app, address, self.url)

    def mails(self, email: str = EMAIL) -> list[EmailMessage]:
        """Return the emails of the organisation to an address."""
        return [mail for mail in self.site.mails(email) if mail["From"].addresses[0].addr_spec == self.sender]

    def link(self, email: str = EMAIL) -> str:
        """Return the path of the link in the last of them."""
        link = last_link(self.mails(email))
        assert link.startswith(self.url + "/")
        return link.removeprefix(self.url)

    def customer(self, email: str = EMAIL, password: str = PASSWORD) -> Browser:
        """Register and confirm a customer of the organisation, and return the signed-in browser."""
        browser = self.browser()
        assert browser.register(email, password).status == 302
        assert browser.fill(self.link(email)).status == 302
        return browser


@pytest.fixture
def many(start: Start) -> Site:
    """Return a portal with several organisations."""
    site = start(BASE_URL=BASE_URL)
    for slug, given in (
        ("kamen", OrganisationChanges(name="Kámen", hostname="login.kamen.example", sender="mail@kamen.example.com")),
        (
            "sklo",
            OrganisationChanges(
                name=STRANGE_NAME, hostname="login.sklo.example", sender="mail@sklo.example.com", **LINKS
            ),
        ),
    ):
        add_organisation(site.context, slug, given, portal_of(site))
    change_organisation(site.context, "default", {"sender": "mail@portal.example.com"}, portal_of(site))
    return site


def portal_of(site: Site) -> Portal:
    return Portal(languages=("en", "cs"), hostname=site.settings.hostname)


def shop_of(site: Site, slug: str) -> Shop:
    (row,) = (row for row in site.rows()["organisation"] if row["slug"] == slug)
    url = f"http://{row['hostname']}:5000" if row["hostname"] else BASE_URL
    return Shop(site, slug, row["id"], row["name"], url, row["sender"])


@pytest.fixture
def kamen(many: Site) -> Shop:
    return shop_of(many, "kamen")


@pytest.fixture
def sklo(many: Site) -> Shop:
    return shop_of(many, "sklo")


@pytest.fixture
def default(many: Site) -> Shop:
    return shop_of(many, "default")


def registration_email(shop: Shop) -> EmailMessage:
    shop.browser().register("grace@example.com", PASSWORD)
    return shop.mails("grace@example.com")[-1]
