"""The pictures of the README and docs/pages.md show what the pages show now."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.pictures import FOLDER, PICTURES, pages_of_pictures, words_on

pytestmark = [pytest.mark.browser, pytest.mark.full]


def test_the_pictures_show_the_words_of_today(browser: Browser, tmp_path: Path) -> None:
    """If this fails, run `make pictures`."""
    words = {name: words_on(page) for name, page in pages_of_pictures(browser, tmp_path)}
    assert words == {name: (FOLDER / f"{name}.txt").read_text("utf-8") for name in PICTURES}
