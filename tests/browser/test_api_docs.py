"""The page that describes the API, on the screen."""

import pytest
from playwright.sync_api import Browser

from tests.browser.checks import WIDTHS, found_by_axe
from tests.cli.process import Served

pytestmark = pytest.mark.browser


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.full)])
@pytest.mark.parametrize("width", [320, pytest.param(1280, marks=pytest.mark.full)])
def test_the_api_page_fits_every_screen_and_axe_finds_nothing(
    browser: Browser, portal: Served, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": WIDTHS[width]}, color_scheme=scheme)  # type: ignore[arg-type] # a literal
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{portal.url}/api/v1/docs")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert found_by_axe(page) == {}
    assert said == []
    page.close()
