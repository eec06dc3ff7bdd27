"""A browser returns to the shop after confirming: the policy on forms allows the shop's origin and no other."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser

from tests.browser.conftest import serving_here, with_and_without_script
from tests.browser.visitor import PASSWORD, Visitor
from tests.cli.process import Served, run_portal, serving

pytestmark = pytest.mark.browser

CHEAP = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}


@dataclass(frozen=True)
class Shop:
    """A site of its own, and its portal."""

    url: str
    portal: Served
    key: str

    def register(self, email: str, return_url: str) -> None:
        """Register a customer as the shop's server does."""
        body = json.dumps({"email": email, "password": PASSWORD, "returnUrl": return_url}).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        address = f"{self.portal.url}/api/v1/customer/register-account"
        with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
            assert json.load(answer) == {"success": True}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Shop]:
    site = Flask("shop")

    @site.get("/welcome")
    @site.get("/signed-in")
    def welcome() -> str:
        return '<!doctype html><link rel="icon" href="data:,"><title>Shop</title><h1>Welcome back</h1>'

    instance = tmp_path_factory.mktemp("shop") / "instance"
    with serving_here(site) as url:
        run_portal(instance, "db", "upgrade").check_returncode()
        sites = ("--return-origin", url, "--handover-url", f"{url}/signed-in")
        run_portal(instance, "organisation", "set", "default", *sites).check_returncode()
        made = run_portal(instance, "api-key", "create", "--kind", "PROD")
        with serving(instance, **CHEAP) as portal:
            yield Shop(url, portal, made.stdout.splitlines()[-1])


@pytest.mark.full
@with_and_without_script
def test_confirming_returns_to_the_shop(shop: Shop, browser: Browser, script: bool) -> None:
    email = f"ada-{script}@example.com".lower()
    shop.register(email, f"{shop.url}/welcome?from=portal")
    visitor = Visitor(browser.new_context(java_script_enabled=script), shop.portal.url)
    visitor.go(visitor.link_to(email))
    visitor.type(password="five wrong geese")
    assert visitor.press("Confirm email address") == 422
    visitor.type(password=PASSWORD)
    visitor.press("Confirm email address")
    assert visitor.page.url == f"{shop.url}/welcome?from=portal"
    assert visitor.heading.text_content() == "Welcome back"
    assert visitor.faults == [f"another host: {shop.url}/welcome?from=portal"]
    visitor.go("/account")
    assert visitor.path == "/account"
    visitor.context.close()


@pytest.mark.full
@with_and_without_script
def test_a_signed_in_customer_continues_by_a_button_with_a_code(shop: Shop, browser: Browser, script: bool) -> None:
    email = f"eve-{script}@example.com".lower()
    visitor = Visitor(browser.new_context(java_script_enabled=script), shop.portal.url)
    visitor.register(email)
    visitor.confirm(email)
    said = {"return_url": f"{shop.url}/signed-in?item=1", "state": "s1", "nonce": "made-up-by-the-page_22"}
    assert visitor.go(f"/login?{urlencode(said)}") == 200
    assert visitor.heading.text_content() == f"Continue to {urlsplit(shop.url).netloc}"
    assert email in visitor.page.inner_text("main")
    visitor.press("Continue")
    assert visitor.page.url.startswith(f"{shop.url}/signed-in?item=1&code=")
    assert visitor.page.url.endswith("&state=s1")

    visitor.go(f"/login?{urlencode(said)}")
    visitor.press("Use another account")
    assert visitor.path == "/login"
    visitor.type(email=email, password=PASSWORD)
    visitor.press("Sign in")  # and back at once
    assert visitor.page.url.startswith(f"{shop.url}/signed-in?item=1&code=")
    assert all(fault.startswith(f"another host: {shop.url}/signed-in") for fault in visitor.faults)
    visitor.context.close()
