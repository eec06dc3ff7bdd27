"""How pages fit the screen, and how much a first visit loads."""

from base64 import b64decode
from pathlib import Path

import pytest
from playwright.sync_api import Request

from tests.browser.conftest import NewVisitor
from tests.browser.visitor import Visitor
from tests.cli.process import Served, run_portal, wait_until

pytestmark = pytest.mark.browser

PHONE, LAPTOP = {"width": 390, "height": 664}, {"width": 1366, "height": 768}
SMALL_PHONE = {"width": 360, "height": 640}
PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPhfDwAChAGAoLFnJwAAAABJRU5ErkJggg==")
COVER_HOST = "cover.localhost"
FIRST_VISIT = 40_000
"""Bytes, without headers."""
_BELOW_THE_SCREEN = "document.documentElement.scrollHeight - document.documentElement.clientHeight"


@pytest.mark.parametrize("locale", ["en-GB", pytest.param("cs-CZ", marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "screen", [pytest.param(PHONE, id="phone"), pytest.param(LAPTOP, id="laptop", marks=pytest.mark.full)]
)
def test_sign_in_and_registration_need_no_scrolling(
    new_visitor: NewVisitor, screen: dict[str, int], locale: str
) -> None:
    visitor = new_visitor(viewport=screen, locale=locale)
    for path in ("/login", "/login/link", "/register", "/password/reset"):
        visitor.go(path)
        assert visitor.page.evaluate(_BELOW_THE_SCREEN) <= 0, path


@pytest.mark.full
@pytest.mark.parametrize("locale", ["en-GB", "cs-CZ"])
def test_registration_with_terms_privacy_and_help_needs_no_scrolling_on_a_phone(
    new_visitor: NewVisitor, portal: Served, locale: str
) -> None:
    host = f"terms-{locale}.localhost".lower()
    named = ("--name", "Kettle & Leaf", "--hostname", host, "--support-email", "help@example.com")
    links = ("--terms-url", "https://example.com/terms", "--privacy-url", "https://example.com/privacy")
    added = run_portal(portal.log.parent / "instance", "organisation", "add", host.partition(".")[0], *named, *links)
    assert added.returncode == 0, added.stderr
    visitor = new_visitor(url=portal.url.replace("localhost", host), viewport=SMALL_PHONE, locale=locale)

    def is_known() -> bool:
        visitor.go("/register")
        return "Kettle & Leaf" in visitor.page.title()

    wait_until(is_known)  # the server has cached the organisations
    assert visitor.page.evaluate(_BELOW_THE_SCREEN) <= 0
    for words in visitor.page.locator(".small-print, .site-footer").all():
        assert float(words.evaluate("element => parseFloat(getComputedStyle(element).fontSize)")) >= 13


@pytest.mark.parametrize("path", ["/login", "/register"])
def test_a_first_visit_is_light(visitor: Visitor, path: str) -> None:
    sizes: dict[str, int] = {}
    visitor.page.on("response", lambda response: sizes.update({response.url: len(response.body())}))
    visitor.go(path)
    visitor.page.wait_for_load_state("networkidle")
    assert any(url.endswith(".js") or ".js?" in url for url in sizes)
    assert sum(sizes.values()) < FIRST_VISIT, sizes


@pytest.mark.full
def test_fields_side_by_side_are_level_even_if_one_label_has_two_lines(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(viewport={"width": 375, "height": 667})
    visitor.register("level@example.com")
    visitor.confirm("level@example.com")
    visitor.go("/account/profile")
    city, district = (visitor.page.locator(f"[name={name}]") for name in ("city", "city_part"))
    visitor.page.locator("label[for=city_part]").evaluate("label => label.append(' of a long name')")
    assert visitor.page.locator("label[for=city_part]").bounding_box()["height"] > 40  # type: ignore[index] # shown
    assert city.bounding_box()["y"] == district.bounding_box()["y"]  # type: ignore[index] # shown


@pytest.mark.full
def test_the_header_of_a_customer_is_one_row_on_a_small_phone(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(viewport={"width": 320, "height": 640})
    visitor.register("narrow@example.com")
    visitor.confirm("narrow@example.com")
    header = visitor.page.locator("header")
    for width in (320, 360, 390):
        visitor.page.set_viewport_size({"width": width, "height": 640})
        assert header.bounding_box()["height"] < 2 * 44  # type: ignore[index] # it is shown
        for name in ("Account", "Sign out"):
            words = header.get_by_text(name)
            assert words.count() == 1
            assert (words.bounding_box()["width"] > 44) == (width > 320)  # type: ignore[index] # an icon stands for them


@pytest.mark.full
def test_a_cover_is_loaded_where_it_is_shown(new_visitor: NewVisitor, portal: Served, tmp_path: Path) -> None:
    picture = tmp_path / "cover.png"
    picture.write_bytes(PNG)
    named = ("--name", "With a cover", "--hostname", COVER_HOST, "--cover", str(picture))
    added = run_portal(portal.log.parent / "instance", "organisation", "add", "covered", *named)
    assert added.returncode == 0, added.stderr
    url = portal.url.replace("localhost", COVER_HOST)
    for screen, is_shown in ((LAPTOP, True), (PHONE, False)):
        visitor = new_visitor(url=url, viewport=screen)
        asked: list[Request] = []

        def note(request: Request, asked: list[Request] = asked) -> None:  # Playwright takes no built-in
            asked.append(request)

        visitor.page.on("request", note)

        def is_known(visitor: Visitor = visitor) -> bool:
            visitor.go("/login")
            return "With a cover" in visitor.page.title()

        wait_until(is_known)  # the server has cached the organisations
        visitor.page.wait_for_load_state("networkidle")
        assert (f"{url}/organisation/cover" in [request.url for request in asked]) == is_shown
        assert visitor.page.locator(".panel").is_visible() == is_shown
