"""Every page in every state, in Czech and in a language that is two fifths longer than English."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from babel import Locale
from playwright.sync_api import Browser, Page

from portal import i18n
from tests import pseudo_locale
from tests.browser.catalogue import STATES, STATES_OF_SCRIPT
from tests.browser.checks import (
    ONCE_EACH,
    found_by_axe_in_looks,
    sideways_scroll,
)
from tests.browser.conftest import failing_portal, serving_by_name, visitors
from tests.browser.stage import SHOP_NAME, SITE_HOST, Stage
from tests.browser.states.values import LONG_FIRST, LONG_LAST
from tests.cli.process import PORTAL
from tests.long_tests import LONG

pytestmark = [pytest.mark.browser, pytest.mark.full]

REACHED = STATES | STATES_OF_SCRIPT
_DATA = re.compile(
    r"https?://\S+|\S+@\S+"  # links and addresses
    r"|Lost phone, ticket 4711|Lost phone"  # an operator's own words
    rf"|Customer portal|{SHOP_NAME}|{re.escape(SITE_HOST)}|UTC|HeadlessChrome|Chrome|Linux"
    r"|^\s*[A-Z]\s*$"  # initials, in place of a picture
    rf"|\b(?:Ada|Quill|Dr\. Ada Quill|{LONG_FIRST}|{LONG_LAST})\b"
)
"""Text that is the same in every language."""

# Visible text, accessible names and texts of scripts, except references and names of languages.
_WORDS = """() => {
  const found = [document.title];
  const own = (element) => element.closest("[lang]")?.lang ?? document.documentElement.lang;
  const spoken = (element) => own(element) === document.documentElement.lang;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!parent.closest("script, style, .reference") && spoken(parent)) found.push(walker.currentNode.data);
  }
  for (const element of document.body.querySelectorAll("*")) {
    if (!spoken(element)) continue;
    for (const name of ["aria-label", "aria-description", "title", "alt", "placeholder"])
      if (element.hasAttribute(name)) found.push(element.getAttribute(name));
    for (const [name, value] of Object.entries(element.dataset))
      if (/^[^{]*\\s|^[A-Z]/.test(value) || ["show", "hide"].includes(name)) found.push(value);  // JSON is no words
  }
  return found;
}"""

# Text that sticks out of its box, or is cut off by it.
_CUT = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, range = document.createRange();
    range.selectNodeContents(text);
    const box = range.getBoundingClientRect();
    if (!text.data.trim() || !box.width) continue;
    if (text.parentElement.closest(".visually-hidden, .skip-link, .site-nav span")) continue;
    if (text.parentElement.matches("body.page > div")) continue;  // the cut preview text of an email
    if (!text.parentElement.checkVisibility()) continue;
    for (let around = text.parentElement; around !== document.documentElement; around = around.parentElement) {
      if (["inline", "contents"].includes(getComputedStyle(around).display)) continue;
      const edge = around.getBoundingClientRect();
      const beside = box.left < edge.left - 1 || box.right > edge.right + 1;
      const above = box.top < edge.top - 6 || box.bottom > edge.bottom + 6;  // lines are higher than their letters
      if (beside || above) {
        found.push(`${text.data.trim()} in <${around.tagName} class="${around.className}">`);
        break;
      }
    }
  }
  return found;
}"""


@contextmanager
def staged(
    browser: Browser, folder: Path, locale: Locale, catalogues: Path, program: Sequence[str | Path] = (PORTAL,)
) -> Iterator[Stage]:
    """A portal of its own, and a visitor whose browser asks for one of its languages."""
    with (
        serving_by_name(folder / "instance", program) as portal,
        failing_portal(folder / "failing") as failing_url,
        visitors(browser, portal.url) as new_visitor,
    ):
        visitor = new_visitor(locale=str(locale))
        visitor.translations = i18n.Language.load(catalogues / str(locale)).translations
        yield Stage(visitor, folder / "instance", portal.url, failing_url)


@pytest.fixture(scope="module")
def czech(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(browser, tmp_path_factory.mktemp("czech"), Locale("cs"), i18n.FOLDER) as stage:
        yield stage


@pytest.fixture(scope="module")
def longer(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("pseudo")
    pseudo_locale.write_catalogue(folder)
    program = (sys.executable, "-m", "tests.pseudo_locale", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(i18n, "FOLDER", folder)  # for the failing portal, which is served by this process
        with staged(browser, folder, pseudo_locale.LOCALE, folder, program) as stage:
            yield stage


def played(stage: Stage, name: str) -> Page:
    """A state on a small screen."""
    page = stage.visitor.page
    page.set_viewport_size({"width": 320, "height": 640})
    stage.visitor.faults.clear()
    REACHED[name](stage)
    page.set_viewport_size({"width": 320, "height": page.evaluate("document.documentElement.scrollHeight")})
    return page


@pytest.fixture(scope="module", params=REACHED)
def in_czech(request: pytest.FixtureRequest, czech: Stage) -> Page:
    return played(czech, request.param)


@pytest.fixture(scope="module", params=REACHED)
def in_longer(request: pytest.FixtureRequest, longer: Stage, screenshots: Path) -> Page:
    page = played(longer, request.param)
    if LONG:
        page.screenshot(path=screenshots / f"{request.param}-320-longer.png")
    return page


def test_czech_fits_on_a_small_screen(in_czech: Page) -> None:
    assert sideways_scroll(in_czech) <= 0
    assert in_czech.evaluate(_CUT) == []


def test_axe_finds_nothing_in_czech(in_czech: Page, screenshots: Path, request: pytest.FixtureRequest) -> None:
    assert in_czech.locator("html").get_attribute("lang") == "cs"
    pictures = screenshots / f"{request.node.callspec.params['in_czech']}-czech" if LONG else None
    assert found_by_axe_in_looks(in_czech, ONCE_EACH, pictures=pictures) == {}


def test_the_console_is_empty_in_czech(in_czech: Page, czech: Stage) -> None:
    assert czech.visitor.faults == []


def test_every_shown_text_is_translatable(in_longer: Page) -> None:
    assert in_longer.locator("html").get_attribute("lang") == "el"
    left = [_DATA.sub("", words) for words in in_longer.evaluate(_WORDS)]
    assert [words.strip() for words in left if re.search("[A-Za-z]", words)] == []


def test_longer_texts_are_not_cut_and_do_not_scroll_sideways(in_longer: Page) -> None:
    assert sideways_scroll(in_longer) <= 0
    assert in_longer.evaluate(_CUT) == []
