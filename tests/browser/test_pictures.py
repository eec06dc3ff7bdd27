"""The pictures of the README and docs/pages.md show what the pages show now."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import serving_by_name
from tests.browser.pictures import FOLDER, PICTURES, words_shown

pytestmark = [pytest.mark.browser, pytest.mark.full]


def test_the_pictures_show_the_words_of_today(browser: Browser, tmp_path: Path) -> None:
    """If this fails, run `make pictures`."""
    instance = tmp_path / "instance"
    with serving_by_name(instance) as portal:
        words = words_shown(browser, instance, portal.url, {})
    assert words == {name: (FOLDER / f"{name}.txt").read_text("utf-8") for name in PICTURES}
