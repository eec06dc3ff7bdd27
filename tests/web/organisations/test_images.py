"""Each organisation has its own accent colour, logo and cover."""

import pytest

from portal.domain.operations.organisation_settings import (
    change_organisation,
)
from tests.web.browser import Page
from tests.web.conftest import Site
from tests.web.expectations import assert_error_page, assert_headers
from tests.web.organisations.conftest import Shop, portal_of, shop_of


def _sheet(page: Page) -> str | None:
    """Return the URL of the second stylesheet of a page."""
    sheets = [link.get("href") for link in page.tree.all("link") if link.get("rel") == "stylesheet"]
    return sheets[1] if len(sheets) > 1 else None


def test_an_accent_is_a_stylesheet_cached_until_it_changes(many: Site) -> None:
    change_organisation(many.context, "sklo", {"accent": "#ffcc00"}, portal_of(many))
    browser = shop_of(many, "sklo").browser()
    page = browser.open("/login")
    assert_headers(page)
    path = _sheet(page) or ""
    assert path.startswith("/organisation.css?v=")
    sheet = browser.send(path)
    assert sheet.headers["Content-Type"] == "text/css; charset=utf-8"
    assert sheet.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Vary" not in sheet.headers
    assert "Set-Cookie" not in sheet.headers
    assert_headers(sheet, private=False)
    assert sheet.text == (
        ":root { --accent: #846a00; --accent-ink: #ffffff; }\n"
        "@media (prefers-color-scheme: dark) { :root { --accent: #ffcc00; --accent-ink: #121416; } }\n"
    )


@pytest.mark.parametrize("version", ["", "?v=", "?v=000000000000", "?v=1&v=2"])
def test_a_stylesheet_with_a_wrong_version_is_not_cached(many: Site, version: str) -> None:
    change_organisation(many.context, "sklo", {"accent": "#ffcc00"}, portal_of(many))
    sheet = shop_of(many, "sklo").browser().send(f"/organisation.css{version}")
    assert sheet.status == 200
    assert_headers(sheet)


JPEG = b"\xff\xd8\xff\xe0"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("picture", "kind"),
    [(b"\x89PNG\r\n\x1a\n", "image/png"), (SVG, "image/svg+xml; charset=utf-8")],
    ids=["png", "svg"],
)
def test_a_logo_is_shown_as_an_image_and_runs_nothing(many: Site, picture: bytes, kind: str) -> None:
    change_organisation(many.context, "sklo", {"logo": picture}, portal_of(many))
    browser = shop_of(many, "sklo").browser()
    image = browser.open("/login").tree.one("header").one("img")
    assert (image.get("src"), image.get("alt")) == ("/organisation/logo", "")
    shown = browser.send(image.get("src"))
    assert (shown.status, shown.body, shown.headers["Content-Type"]) == (200, picture, kind)
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "script-src" not in policy
    assert policy.endswith("; sandbox")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Cache-Control"] == "public, max-age=300"
    assert "Vary" not in shown.headers
    known = {"If-None-Match": shown.headers["ETag"]}
    again = browser.send("/organisation/logo", headers=known)
    assert (again.status, again.body) == (304, b"")
    change_organisation(many.context, "sklo", {"logo": picture + b"\n"}, portal_of(many))
    assert browser.send("/organisation/logo", headers=known).status == 200


def test_a_logo_is_its_organisations_only(many: Site, kamen: Shop, default: Shop) -> None:
    change_organisation(many.context, "sklo", {"logo": SVG}, portal_of(many))
    for shop in (kamen, default):
        browser = shop.browser()
        assert browser.open("/login").tree.one("header").all("img") == []
        assert_error_page(browser.open("/organisation/logo"), 404)


def test_a_cover_stands_beside_the_forms_of_its_organisation_only(many: Site, kamen: Shop) -> None:
    change_organisation(many.context, "sklo", {"cover": JPEG}, portal_of(many))
    browser = shop_of(many, "sklo").browser()
    for path in ("/login", "/register", "/password/reset"):
        (image,) = (one for one in browser.open(path).tree.all("img") if one.get("src") == "/organisation/cover")
        assert image.get("alt") == ""
        assert image.get("loading") == "lazy"  # where it is not shown, it is not loaded
    shown = browser.send("/organisation/cover")
    assert (shown.status, shown.body, shown.headers["Content-Type"]) == (200, JPEG, "image/jpeg")
    assert shown.headers["Content-Security-Policy"].endswith("; sandbox")
    assert shown.headers["Cache-Control"] == "public, max-age=300"
    known = {"If-None-Match": shown.headers["ETag"]}
    assert browser.send("/organisation/cover", headers=known).status == 304
    assert "/organisation/cover" not in kamen.browser().open("/login").text
    assert_error_page(kamen.browser().open("/organisation/cover"), 404)
    change_organisation(many.context, "sklo", {"cover": b""}, portal_of(many))
    assert_error_page(browser.open("/organisation/cover"), 404)


def test_without_an_accent_there_is_no_stylesheet(kamen: Shop) -> None:
    browser = kamen.browser()
    assert _sheet(browser.open("/login")) is None
    assert_error_page(browser.open("/organisation.css"), 404)
