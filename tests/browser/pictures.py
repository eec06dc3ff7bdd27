"""The pictures of the README and docs/pages.md. `make pictures` takes them anew, and notes the words that they show."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.catalogue import STATES
from tests.browser.chromium import LAUNCH_ARGUMENTS, find_chromium
from tests.browser.conftest import serving_by_name
from tests.browser.stage import Stage
from tests.browser.visitor import Visitor

FOLDER = Path(__file__).resolve().parents[2] / ".readme"
PICTURES = ("login", "account")
"""States of the catalogue, each shown in light and in dark."""
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_SIDE_BY_SIDE = """<body style="margin: 0; padding: 24px; background: #e6e5df; display: flex; gap: 24px">{}"""
_SHOT = """<img width=640 height=400 style="border-radius: 12px" src="data:image/png;base64,{}">"""
_CHANGING = re.compile(r"\b[A-Za-z0-9]{16}\b|\b\d{1,2} [A-Z][a-z]+ 20\d\d\b")
"""The reference number of a customer, and days."""


def pages_of_pictures(browser: Browser, folder: Path) -> Iterator[tuple[str, Page]]:
    """Open each page that a picture shows, on a new portal in the folder; yield the picture's name and the page."""
    instance = folder / "instance"
    with (
        serving_by_name(instance) as portal,
        browser.new_context(
            locale="en-GB", reduced_motion="reduce", viewport={"width": 1280, "height": 800}
        ) as context,
    ):
        stage = Stage(Visitor(context, portal.url), instance, portal.url, failing_url="")
        for name in PICTURES:
            STATES[name](stage)
            yield name, stage.visitor.page


def words_on(page: Page) -> str:
    """Return the words of a page, without those that each run has anew."""
    return _CHANGING.sub("…", page.inner_text("body")).strip() + "\n"


def main() -> None:
    """Take all pictures."""
    with (
        TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_chromium(), args=LAUNCH_ARGUMENTS) as browser,
    ):
        both = browser.new_page(viewport={"width": 1352, "height": 448})
        for name, page in pages_of_pictures(browser, Path(folder)):
            (FOLDER / f"{name}.txt").write_text(words_on(page), "utf-8")
            shots = []
            for scheme in _SCHEMES:
                page.emulate_media(color_scheme=scheme)
                shots.append(_SHOT.format(base64.b64encode(page.screenshot()).decode()))
            both.set_content(_SIDE_BY_SIDE.format("".join(shots)))
            both.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
