"""The rate limit of forms from one network, which covers all pages."""

from flask import Flask
from flask_limiter.util import get_qualified_name

from portal.extensions import limiter
from tests.api.shop import new_shop
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start

EMAIL = "ada@example.com"


def press_language(browser: Browser) -> Page:
    return browser.post(browser.open("/login").form("/language"), {"locale": "en"})


def posting_endpoints(app: Flask) -> set[str]:
    return {rule.endpoint for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}


def test_forms_of_all_pages_share_one_rate_limit_by_network(start: Start) -> None:
    site = start(FORM_LIMIT_NETWORK="3 per minute")
    site.customer(EMAIL)
    ada = site.browser("192.0.2.1")
    assert [
        ada.sign_in(EMAIL, "wrong").status,
        ada.ask_for_reset(EMAIL).status,
        press_language(ada).status,
    ] == [422, 302, 302]
    refused = ada.sign_in(EMAIL, PASSWORD)
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert ada.open("/login").status == 200
    assert press_language(site.browser("192.0.2.2")).status == 302


def test_a_form_without_a_valid_csrf_token_is_counted_too(start: Start) -> None:
    site = start(FORM_LIMIT_NETWORK="3 per minute")
    browser = site.browser()
    sent = [browser.send("/login", "POST", data={"email": EMAIL, "password": "x"}) for _ in range(4)]
    assert [page.status for page in sent] == [400, 400, 400, 429]
    assert 1 <= int(sent[-1].headers["Retry-After"]) <= 61


def test_a_form_over_the_rate_limit_keeps_all_but_the_password(start: Start) -> None:
    browser = start(FORM_LIMIT_NETWORK="1 per minute").browser()
    press_language(browser)
    typed = {"first_name": "Ada", "last_name": "Quill", "email": EMAIL, "phone": "+420 777123456"}
    assert browser.post(browser.open("/register").form("/register"), {**typed, "password": PASSWORD}).status == 429
    again = browser.open("/register").form("/register").fields
    assert {name: again[name] for name in typed} == typed
    assert not again["password"]


def test_an_address_of_the_same_ipv6_network_shares_the_count(start: Start) -> None:
    site = start(FORM_LIMIT_NETWORK="1 per minute")
    assert press_language(site.browser("2001:db8::1")).status == 302
    assert press_language(site.browser("2001:db8::ffff")).status == 429
    assert press_language(site.browser("2001:db8:0:1::1")).status == 302


def test_page_views_and_api_requests_are_not_counted_with_forms(start: Start) -> None:
    site = start(FORM_LIMIT_NETWORK="1 per minute")
    browser = site.browser()
    assert [browser.send("/login").status for _ in range(5)] == [200] * 5
    shop = new_shop(site)
    assert [shop.post("logout", identityId="x").status for _ in range(3)] == [200] * 3
    assert press_language(browser).status == 302


def test_each_app_in_a_process_has_its_own_counters(start: Start) -> None:
    one, other = start(FORM_LIMIT_NETWORK="1 per minute"), start(FORM_LIMIT_NETWORK="1 per minute")
    assert one.context.rate_limiter.counters is not other.context.rate_limiter.counters
    assert press_language(one.browser()).status == 302
    one.context.rate_limiter.counters.reset()
    assert press_language(one.browser()).status == 302
    assert press_language(one.browser()).status == 429


def test_password_checks_while_typing_have_a_separate_rate_limit(start: Start) -> None:
    site = start(FORM_LIMIT_NETWORK="1 per minute")
    browser = site.browser()
    token = browser.open("/register").form("/register").token
    typed = {"csrf_token": token, "password": "four blue geese fly"}
    statuses = [browser.send("/password/strength", "POST", data=typed).status for _ in range(601)]
    assert statuses == [200] * 600 + [429]
    assert press_language(browser).status == 302


def test_every_endpoint_that_accepts_post_has_a_rate_limit(site: Site) -> None:
    with site.app.app_context():
        for endpoint in posting_endpoints(site.app):
            name = get_qualified_name(site.app.view_functions[endpoint])
            scope = "typing" if endpoint == "password.strength" else "form"
            assert [limit.scope for limit in limiter.limit_manager.decorated_limits(name)] == [scope], endpoint
