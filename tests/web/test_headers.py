"""The headers of every response."""

import re

import pytest

from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_headers

EMAIL = "ada@example.com"
ENDING = ("Expires=Thu, 01 Jan 1970", "Max-Age=0")
"""The attributes of a cookie that is deleted."""
LASTING = ("Expires=", "Max-Age=31536000")
"""The lifetime of the device cookie."""


def every_answer(site: Site) -> dict[str, Page]:
    """One of each kind of response except static files."""
    customer = site.customer(EMAIL)
    customer.ask_for_reset(EMAIL)
    stranger = site.browser()
    reset = site.link(EMAIL)
    login = stranger.open("/login").form()
    open_paths = (
        "/login",
        "/register",
        "/register/code",
        "/password/reset",
        "/password/reset-sent",
        "/healthz",
        "/readyz",
    )
    answers = {path: stranger.send(path) for path in ("/", *open_paths, "/.well-known/change-password", "/account")}
    answers |= {f"{path} signed in": customer.send(path) for path in ("/", "/login", "/account", "/account/password")}
    answers["reset"] = stranger.send(reset)
    answers["HEAD"] = stranger.send("/login", "HEAD")
    answers["OPTIONS"] = stranger.send("/login", "OPTIONS")
    answers["OPTIONS for another site"] = stranger.send(
        "/login", "OPTIONS", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    answers["400"] = stranger.post(login, {"csrf_token": None})
    answers["400 elsewhere"] = stranger.post(login, headers={"Origin": "https://evil.example"})
    answers["404"] = stranger.send("/no/such/page")
    answers["404 static"] = stranger.send("/static/none.css")
    answers["404 link"] = stranger.send("/password/reset/none")
    answers["405"] = stranger.send("/logout", "PUT")
    answers["413"] = stranger.send("/login", "POST", data=b"x" * 100_000)
    answers["422"] = stranger.post(login, {"email": "none"})
    answers["303 signed in"] = stranger.post(login, {"email": EMAIL, "password": PASSWORD})
    answers["slashes"] = stranger.send("//login")
    answers["reset done"] = stranger.fill(reset, {"password": "nine grey otters swim"})
    answers["410"] = site.browser().send(reset)
    for _ in range(12):
        answers["429"] = site.browser().fill("/login", {"email": EMAIL, "password": "wrong"})
    return answers


def test_every_response_has_security_headers_and_is_not_cached(site: Site) -> None:
    answers = every_answer(site)
    assert {page.status for page in answers.values()} >= {200, 302, 308, 400, 404, 405, 410, 413, 422, 429}
    for name, page in answers.items():
        assert_headers(page, name=name)


def ends(name_and_value: str) -> tuple[str, ...]:
    """The attributes that give a cookie a lifetime; only the device cookie has one."""
    return LASTING if "device=" in name_and_value else ENDING


def test_hsts_and_secure_cookies_are_sent_over_https_only(start: Start) -> None:
    site = start(BASE_URL="https://portal.example.com")
    answers = every_answer(site)
    cookies = [cookie for page in answers.values() for cookie in page.headers.getlist("Set-Cookie")]

    for name, page in answers.items():
        assert_headers(page, name=name, https=True)
    assert cookies
    for cookie in cookies:
        name_and_value, *flags = cookie.split("; ")
        assert name_and_value.startswith(("__Host-portal=", "__Host-device="))
        assert {flag for flag in flags if not flag.startswith(ends(name_and_value))} == {
            "HttpOnly",
            "Path=/",
            "SameSite=Lax",
            "Secure",
        }


def test_without_https_the_cookie_is_not_secure_but_httponly(site: Site) -> None:
    for page in every_answer(site).values():
        for cookie in page.headers.getlist("Set-Cookie"):
            name_and_value, *flags = cookie.split("; ")
            assert name_and_value.startswith(("portal=", "device="))
            flags = [flag for flag in flags if not flag.startswith(ends(name_and_value))]
            assert set(flags) == {"HttpOnly", "Path=/", "SameSite=Lax"}


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:5000", "http://127.0.0.1:5000.evil.example", "http://localhost"],
)
def test_cors_never_allows_another_origin(site: Site, origin: str) -> None:
    browser = site.customer(EMAIL)

    for path in ("/account", "/login", "/healthz", "/static/favicon.svg", "/none"):
        assert_headers(browser.send(path, headers={"Origin": origin}), private=not path.startswith("/static"))


def test_static_files_have_a_version_and_are_cached_forever(site: Site) -> None:
    browser = site.browser()
    tree = browser.open("/login").tree
    addresses = [element.get("href") for element in tree.all("link")] + [e.get("src") for e in tree.all("script")]

    assert len(addresses) == 3
    for address in addresses:
        assert re.fullmatch(r"/static/[a-z.]+\?v=[0-9a-f]{12}", address)
        page = browser.send(address)
        assert page.status == 200
        assert_headers(page, private=False)
        assert page.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in page.headers
        again = browser.send(address, headers={"If-None-Match": page.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["Cache-Control"] == page.headers["Cache-Control"]


def test_every_page_loads_own_files_only_and_has_no_inline_script_or_style(site: Site) -> None:
    for name, page in every_answer(site).items():
        if page.headers.get("Content-Type", "").startswith("text/html") and page.body and page.status not in (302, 308):
            for element in page.tree:
                assert element.tag not in ("style", "iframe", "object", "embed", "base"), name
                assert not [attribute for attribute in element.attributes if attribute.startswith("on")], name
                assert "style" not in element.attributes, name
                for attribute in ("src", "href", "action"):
                    assert re.match(r"(/(?!/)|#|$)", element.get(attribute)), (name, element)
                assert element.tag != "script" or (element.get("src") and not element.children), name


def test_health_endpoints_reveal_nothing(site: Site) -> None:
    browser = site.browser()

    assert (browser.send("/healthz").status, browser.send("/healthz").text) == (200, "ok\n")
    assert (browser.send("/readyz").status, browser.send("/readyz").text) == (200, "ready\n")
    assert browser.send("/healthz").headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "path",
    [
        *("/.git/config", "/.env", "/portal.toml", "/instance/portal.sqlite3", "/secret.key", "/console", "/debug"),
        *("/static/../pyproject.toml", "/static/%2e%2e/pyproject.toml", "/static/..%2fportal/app.py", "/static/"),
        *("/server-status", "/metrics", "/admin", "/api", "/static//etc/passwd", "/static/%00", "/\u2028", "/%ff"),
    ],
)
def test_source_files_are_not_served(site: Site, path: str) -> None:
    assert site.browser().open(path).status == 404
