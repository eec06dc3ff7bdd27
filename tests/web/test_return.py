"""The return to the shop that registered its customer: only to return origins of its organisation."""

from typing import Any

import pytest
from sqlalchemy import update

from portal.domain.context import Visitor
from portal.domain.use_cases.register import RegistrationRequest
from portal.domain.use_cases.register_by_api import register_by_api
from portal.domain.values.email import parse_email
from portal.storage.models import Organisation
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site
from tests.web.expectations import CONTENT_SECURITY_POLICY
from tests.web.post import code_in

EMAIL = "ada@example.com"
ORIGIN = "https://shop.example.com"
RETURN_URL = f"{ORIGIN}/welcome?from=portal"
POLICY_OF_RETURN = CONTENT_SECURITY_POLICY.replace("form-action 'self'", f"form-action 'self' {ORIGIN}")


def list_origins(site: Site, *origins: str) -> None:
    """Set the origins as `portal organisation set --return-origin` does."""
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(return_origins=list(origins)))


@pytest.fixture
def shop(site: Site) -> Site:
    list_origins(site, "https://other.example.com", ORIGIN)
    return site


def registered(site: Site, return_url: str | None = RETURN_URL) -> Browser:
    """The browser of a customer whom the shop's server has just registered."""
    visitor = Visitor(organisation_id=1, ip=None, via_api=True)
    register_by_api(site.context, visitor, RegistrationRequest(parse_email(EMAIL), PASSWORD, return_url=return_url))
    return site.browser()


def policy(page: Page) -> Any:
    return page.headers["Content-Security-Policy"]


def test_confirming_returns_to_the_shop_signed_in(shop: Site) -> None:
    browser = registered(shop)
    link = shop.link(EMAIL)

    assert policy(browser.open(link)) == POLICY_OF_RETURN
    wrong = browser.fill(link, {"password": "five wrong geese"})
    assert (wrong.status, policy(wrong)) == (422, POLICY_OF_RETURN)
    assert browser.fill(link, {"password": PASSWORD}).location == RETURN_URL
    assert browser.is_signed_in
    assert policy(browser.open("/account")) == CONTENT_SECURITY_POLICY


def test_the_emailed_code_returns_to_the_shop_too(shop: Site) -> None:
    browser = registered(shop)
    told = browser.sign_in(EMAIL, PASSWORD)  # with the right password, this browser may enter the code
    assert "confirm your email address first" in told.words

    assert policy(browser.open("/register/code")) == POLICY_OF_RETURN
    typed = {"code": code_in(shop.mails(EMAIL)[-1])}
    assert browser.fill("/register/code", typed, submit_to="/register/code").location == RETURN_URL


def test_without_a_return_url_confirming_leads_to_the_account(shop: Site) -> None:
    browser = registered(shop, None)
    link = shop.link(EMAIL)

    assert policy(browser.open(link)) == CONTENT_SECURITY_POLICY
    home = browser.fill(link, {"password": PASSWORD})
    assert home.location == "/account"
    assert "confirmed" in browser.follow(home).words


@pytest.mark.parametrize("origins", [(), ("https://other.example.com",), ("http://shop.example.com",)])
def test_an_origin_that_is_no_longer_listed_is_not_returned_to(shop: Site, origins: tuple[str, ...]) -> None:
    browser = registered(shop)
    link = shop.link(EMAIL)
    list_origins(shop, *origins)

    assert policy(browser.open(link)) == CONTENT_SECURITY_POLICY
    assert browser.fill(link, {"password": PASSWORD}).location == "/account"


@pytest.mark.parametrize("stored", ["//evil.example", "javascript:alert(1)", "https://shop.example.com@evil.example/"])
def test_a_stored_return_url_on_another_origin_is_ignored(shop: Site, stored: str) -> None:
    browser = registered(shop, stored)

    assert browser.fill(shop.link(EMAIL), {"password": PASSWORD}).location == "/account"
