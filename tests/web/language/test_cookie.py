"""The cookie that keeps a visitor's choice."""

from datetime import timedelta
from http.cookies import SimpleCookie

import pytest

from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_headers
from tests.web.language.switch import ADA, CZECH, choose, spoken


@pytest.mark.parametrize(
    ("base_url", "name"), [("http://127.0.0.1:5000", "language"), ("https://portal.example.com", "__Host-language")]
)
def test_the_language_cookie_lasts_a_year_with_the_usual_attributes(start: Start, base_url: str, name: str) -> None:
    site = start(BASE_URL=base_url)
    browser = site.browser()
    answer = choose(browser, "cs")
    (cookie,) = (line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{name}="))
    parsed = SimpleCookie(cookie)[name]
    https = base_url.startswith("https")
    assert parsed.value == "cs"
    assert (parsed["path"], parsed["domain"], parsed["samesite"]) == ("/", "", "Lax")
    assert (bool(parsed["httponly"]), bool(parsed["secure"])) == (True, https)
    assert parsed["max-age"] == str(int(timedelta(days=365).total_seconds()))
    assert_headers(answer, https=https)


@pytest.mark.parametrize("value", ["", "xx", "CS", "cs;en", "../cs", "%00", "č", "a" * 3000])
def test_an_invalid_language_cookie_is_ignored(site: Site, value: str) -> None:
    browser = site.browser()
    browser.set_cookie(value, "language")
    assert spoken(browser.send("/login", headers=CZECH)) == "cs"


def test_the_language_cookie_survives_signing_in_and_out(site: Site) -> None:
    browser = site.browser()
    choose(browser, "cs")
    browser.register(ADA, PASSWORD)
    browser.fill(site.link(ADA))
    assert spoken(browser.open("/account")) == "cs"
    browser.sign_out()
    assert spoken(browser.open("/login")) == "cs"
