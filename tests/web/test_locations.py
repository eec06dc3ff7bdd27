"""No redirect leads to a foreign host, for any request; tested with the app and over a raw socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, redirect

from portal.domain.operations.organisation_settings import Portal, change_organisation
from tests.cli.process import Served, serving
from tests.web.conftest import PASSWORD, Site
from tests.web.test_redirects import HERE, where_a_browser_goes
from tests.web.test_served import CHEAP, raw

pytestmark = pytest.mark.on_sqlite  # not about the database

EMAIL = "ada@example.com"
SHOP = "https://shop.example.com"
EVIL = "evil.example"
HOSTS = (EVIL, f"{EVIL}:5000", "127.0.0.1:5000", f"127.0.0.1:5000@{EVIL}", f"[::1].{EVIL}", "", "[", "\xe9", f" {EVIL}")
STARTS = ("/static", "/login", "/account", "/register", "/organisation", "/themed", "/dev/mailbox", "/api", "/api/v1")
TAILS = (
    *("", "/", "//", f"//{EVIL}", f"//{EVIL}/..", "//portal.css", "///portal.css", "/portal.css/", "/portal.css//x"),
    *(f"/%2f{EVIL}", f"/%5c{EVIL}", f"/\\{EVIL}", f"/;//{EVIL}", "/.//x", "/..//x", "/%2e%2e//x", "/%0d%0aX:%20y//"),
    *("//x?next=//y", "?//x", "//link", "//link//x", "//docs", "/customer//login", "//customer/login/"),
    *("//password", "//logo", "//dark.css", "//x//html", "/link//", "/link/none//", "/none//none"),
)
WHOLE = ("/", "//", f"//{EVIL}", f"//{EVIL}/", f"//{EVIL}/login", "///login", "//login", "//account", "//.well-known//")


def paths(site_map: Flask) -> Iterator[str]:
    """Unusual forms of the beginning of every address, existing or not."""
    yield from WHOLE
    for start in {*STARTS, *(rule.rule.partition("<")[0].rstrip("/") for rule in site_map.url_map.iter_rules())}:
        for tail in TAILS:
            yield start + tail


@pytest.mark.full
def test_no_host_or_path_makes_a_redirect_leave_the_site(site: Site) -> None:
    asked = sorted(set(paths(site.app)))
    seen = set()
    for browser in (site.browser(), site.customer(EMAIL)):
        for path in asked:
            for method in ("GET", "POST"):  # Flask answers HEAD as GET
                plain, _, query = path.partition("?")
                environ = {"HTTP_HOST": EVIL, "PATH_INFO": plain, "QUERY_STRING": query}
                page = browser.send("/", method, environ_overrides=environ)
                seen.add(page.status)
                if page.status == 308:  # no path at all, which the router redirects
                    assert (plain, page.location) == ("", "/")
                if location := page.headers.get("Location"):
                    assert location.startswith("/"), (method, path)
                    assert where_a_browser_goes(location) == HERE, (method, path)
    assert {200, 302, 308, 404} <= seen


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/", "/account", "/account/password", "/.well-known/change-password", "/static//x"])
def test_the_host_header_is_never_used_in_a_redirect(site: Site, host: str, path: str) -> None:
    forwarded = {"X-Forwarded-Host": EVIL, "X-Forwarded-Prefix": f"//{EVIL}", "Forwarded": f"host={EVIL}"}
    page = site.browser().send(path, headers={"Host": host, **forwarded})
    assert EVIL not in page.headers.get("Location", "")
    assert EVIL not in page.text


def test_no_url_rule_makes_the_router_redirect(site: Site) -> None:
    """The router redirects to a rule that ends with a slash, and from an alias."""
    assert site.app.url_map.merge_slashes is False
    for rule in site.app.url_map.iter_rules():
        assert rule.rule == "/" or not rule.rule.endswith("/"), rule
        assert not rule.alias
        assert rule.redirect_to is None


ELSEWHERE = [
    f"https://{EVIL}/x",
    f"//{EVIL}/x",
    f"/\\{EVIL}",
    f"/\t/{EVIL}",
    f"\\\\{EVIL}",
    f"http:{EVIL}",
    "javascript:alert(1)",
    f"{SHOP}.{EVIL}/",
    f"{SHOP}@{EVIL}/",
    "https://other.example.com/",
    "x",
    "",
]


@pytest.mark.parametrize("location", ELSEWHERE, ids=ascii)
def test_an_accidental_redirect_to_another_site_stays_on_this_site(site: Site, location: str) -> None:
    """All redirects are checked in one place, whichever view returns them."""

    def careless() -> object:
        answer = redirect("/x")
        answer.headers["Location"] = location
        return answer

    site.app.add_url_rule("/careless", "careless", careless)  # type: ignore[arg-type] # it returns an object
    page = site.browser().send("/careless")
    assert page.status == 302
    assert page.location == "/"


def test_an_accidental_router_redirect_stays_on_this_site(site: Site) -> None:
    site.app.add_url_rule("/careless/", "careless", lambda: "x")
    page = site.browser().send("/careless?x=1", headers={"Host": EVIL})
    assert (page.status, page.location) == (308, "/")


def test_a_redirect_to_an_allowed_origin_still_works(site: Site) -> None:
    portal = Portal(languages=("en", "cs"), hostname=site.settings.hostname)
    change_organisation(site.context, "default", {"return_origins": [SHOP]}, portal)
    site.customer(EMAIL)
    browser = site.browser()
    browser.send(f"/login?return_url={SHOP}/cart%3Fx=1")
    assert browser.sign_in(EMAIL, PASSWORD).location.startswith(f"{SHOP}/cart?x=1")
    assert browser.send(f"/login?return_url=https://{EVIL}/").location == "/account"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    instance: Path = tmp_path_factory.mktemp("locations") / "instance"
    with serving(instance, **CHEAP) as served:
        yield served


def test_no_redirect_leaves_the_site_for_requests_over_a_raw_socket(served: Served) -> None:
    statuses = set()
    targets = [
        *(f"{start}{tail}" for start in STARTS for tail in ("//", f"//{EVIL}", "//portal.css", f"/\\{EVIL}", "/")),
        *WHOLE,
        *(f"http://{EVIL}{path}" for path in ("", "/", "/account", "/static//x", "//x", "/api//v1")),
        f"http:{EVIL}//static//x",
        f"https://{EVIL}/account/password",
        "*",
        f"{EVIL}:80",
    ]
    for target in targets:
        for version in ("1.1", "1.0"):
            for host in (f"Host: {EVIL}\r\n", f"Host: {EVIL}\r\nSCRIPT_NAME: //{EVIL}\r\nX-Forwarded-Host: {EVIL}\r\n"):
                request = f"GET {target} HTTP/{version}\r\n{host}Connection: close\r\n\r\n"
                head = raw(served, request.encode("latin-1")).partition(b"\r\n\r\n")[0].decode("latin-1")
                statuses.add(head.split(" ")[1])
                for line in head.split("\r\n")[1:]:
                    name, _, value = line.partition(": ")
                    if name.lower() in ("location", "content-location", "refresh", "link"):
                        assert value.startswith("/"), (target, line)
                        assert where_a_browser_goes(value) == HERE, (target, line)
    assert {"302", "404"} <= statuses
