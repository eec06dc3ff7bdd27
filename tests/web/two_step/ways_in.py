"""The ways to sign in, each up to the second step, and what tests of it share."""

from collections.abc import Callable

from sqlalchemy import update

from portal.storage.models import Organisation
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site
from tests.web.post import code_in

EMAIL = "ada@example.com"
NEW_PASSWORD = "nine calm otters drift"
Way = Callable[[Site, Browser], Page]
"""Proves who a browser is, and returns the response to that."""


def require(site: Site, rule: str) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(require_two_step=rule))


def subjects(site: Site) -> list[str]:
    return [str(mail["Subject"]) for mail in site.mails(EMAIL)]


def by_link(site: Site, browser: Browser) -> Page:
    browser.fill("/login/link", {"email": EMAIL})
    return browser.fill(site.link(EMAIL))


def by_code(site: Site, browser: Browser) -> Page:
    browser.follow(browser.fill("/login/link", {"email": EMAIL}))
    return browser.fill("/login/code", {"code": code_in(site.mails(EMAIL)[-1])}, submit_to="/login/code")


def by_reset(site: Site, browser: Browser) -> Page:
    browser.fill("/password/reset", {"email": EMAIL})
    return browser.fill(site.link(EMAIL), {"password": NEW_PASSWORD})


def by_password(_site: Site, browser: Browser) -> Page:
    return browser.sign_in(EMAIL, PASSWORD)


WAYS = (by_password, by_link, by_code, by_reset)
