"""The pictures of the README and docs/pages.md. `make pictures` takes them anew, and notes the words that they show."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.catalogue import STATES
from tests.browser.chromium import LAUNCH_ARGUMENTS, find_chromium
from tests.browser.conftest import serving_by_name
from tests.browser.stage import Stage
from tests.browser.visitor import Visitor

FOLDER = Path(__file__).resolve().parents[2] / ".readme"
PICTURES = ("login", "account")
"""States of the catalogue, each shown in light and in dark."""
_SIDE_BY_SIDE = """<body style="margin: 0; padding: 24px; background: #e6e5df; display: flex; gap: 24px">{}"""
_SHOT = """<img width=640 height=400 style="border-radius: 12px" src="data:image/png;base64,{}">"""
_CHANGING = re.compile(r"\b[A-Za-z0-9]{16}\b|\b\d{1,2} [A-Z][a-z]+ 20\d\d\b")
"""The reference number of a customer, and days."""


def words_on(page: Page) -> str:
    """Return the words of a page, without those that each run has anew."""
    return _CHANGING.sub("…", page.inner_text("body")).strip() + "\n"


def words_shown(browser: Browser, instance: Path, url: str, shots: Mapping[str, list[bytes]]) -> dict[str, str]:
    """Return the words of each picture, and append what it shows to its list in `shots`, if it has one."""
    context = browser.new_context(locale="en-GB", reduced_motion="reduce", viewport={"width": 1280, "height": 800})
    visitor = Visitor(context, url)
    stage = Stage(visitor, instance, url, "")
    found = {}
    for name in PICTURES:
        STATES[name](stage)
        found[name] = words_on(visitor.page)
        for scheme in ("light", "dark") if name in shots else ():
            visitor.page.emulate_media(color_scheme=scheme)
            shots[name].append(visitor.page.screenshot())
    context.close()
    return found


def main() -> None:
    """Take all pictures."""
    shots: dict[str, list[bytes]] = {name: [] for name in PICTURES}
    with (
        TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_chromium(), args=LAUNCH_ARGUMENTS) as browser,
    ):
        with serving_by_name(Path(folder) / "instance") as portal:
            words = words_shown(browser, Path(folder) / "instance", portal.url, shots)
        page = browser.new_page(viewport={"width": 1352, "height": 448})
        for name in PICTURES:
            images = [_SHOT.format(base64.b64encode(shot).decode()) for shot in shots[name]]
            page.set_content(_SIDE_BY_SIDE.format("".join(images)))
            page.screenshot(path=FOLDER / f"{name}.png")
            (FOLDER / f"{name}.txt").write_text(words[name], "utf-8")


if __name__ == "__main__":
    main()
