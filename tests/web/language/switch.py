"""The language of a page, and the switch on it."""

from sqlalchemy import update

from portal.storage.models import Contact, Organisation
from tests.web.browser import Browser, Form, Page
from tests.web.conftest import Site

ADA = "ada@example.com"
CZECH = {"Accept-Language": "cs-CZ,cs;q=0.9,en;q=0.8"}
ENGLISH = {"Accept-Language": "en-GB,en;q=0.9,cs;q=0.2"}
GERMAN = {"Accept-Language": "de-AT,de;q=0.9"}


def spoken(page: Page) -> str:
    """Return the language of a page; its markup and headers must agree."""
    language = page.tree.one("html").get("lang")
    assert page.headers.getlist("Content-Language") == [language]
    assert page.tree.one("html").get("dir") == "ltr"
    return language


def switch_of(page: Page) -> Form:
    (form,) = (form for form in page.forms if form.action == "/language" and form.fields["next"])
    return form


def choose(browser: Browser, tag: str, *, on: str = "/login") -> Page:
    """Press a button of the switch on a page; return the response."""
    return browser.post(switch_of(browser.open(on)), {"locale": tag})


def organisation_speaks(site: Site, tag: str | None) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(locale=tag))


def speaks(site: Site, tag: str) -> None:
    """The details of a customer that an import or a shop's server stores."""
    with site.context.database.write() as connection:
        connection.execute(update(Contact).values(locale=tag))
