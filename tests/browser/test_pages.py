"""Every page in every state: what anybody may expect of it, whatever the screen, the colours and the eyes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from tests.browser.catalogue import STATES, STATES_OF_SCRIPT
from tests.browser.conftest import visitors
from tests.browser.stage import Stage
from tests.browser.visitor import Visitor
from tests.cli.process import Served

pytestmark = pytest.mark.browser

REACHED = STATES | STATES_OF_SCRIPT
WIDTHS = {320: 640, 1280: 800}
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
    "iframes": False,  # what a frame holds is scanned on its own
}

# What of it is text is let off: the addresses in a mail. A row of the mailbox and a box's label are all to press.
_TOO_SMALL = """[...document.querySelectorAll("a[href], button, input:not([type=hidden]):not(.visually-hidden)")]
  .filter(target => !target.matches("pre a, .link"))
  .map(target => [target, (target.closest(".mails li, .checkbox label") ?? target).getBoundingClientRect()])
  .filter(([, box]) => Math.min(box.width, box.height) < 44)
  .map(([target, box]) => `${target.outerHTML} ${box.width} x ${box.height}`)"""
_LETTER_SIZES = """[...document.querySelectorAll("main input:not([type=hidden], [type=checkbox], .visually-hidden)")]
  .map(input => parseFloat(getComputedStyle(input).fontSize))"""


@dataclass
class Shown:
    """A state on the screen. A test changes the screen and the colours as it likes, and never leaves the page."""

    name: str
    visitor: Visitor

    @property
    def page(self) -> Page:
        return self.visitor.page


@pytest.fixture(scope="module")
def stage(browser: Browser, portal: Served, failing_url: str) -> Iterator[Stage]:
    with visitors(browser, portal.url) as new_visitor:
        yield Stage(new_visitor(), portal.log.parent / "instance", portal.url, failing_url)


@pytest.fixture(scope="module", params=REACHED)
def shown(request: pytest.FixtureRequest, stage: Stage) -> Shown:
    """The state is reached once, for all tests that look at it."""
    stage.visitor.page.set_viewport_size({"width": 1280, "height": 800})
    stage.visitor.page.emulate_media(color_scheme="light")
    stage.visitor.faults.clear()
    REACHED[request.param](stage)
    return Shown(request.param, stage.visitor)


class WithoutScript:
    """A browser whose pages run no script of their own, while a test still can."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._devtools = visitor.context.new_cdp_session(visitor.page)

    def show(self, shown: Shown) -> Page:
        """The page as a state has it, made of the very answer that it came from."""
        answer = shown.visitor.answer
        assert answer is not None
        body, page = answer.body(), self._visitor.page
        self._visitor.move_to(shown.visitor.url)
        page.route(answer.url, lambda route: route.fulfill(status=answer.status, headers=answer.headers, body=body))
        self._devtools.send("Emulation.setScriptExecutionDisabled", {"value": True})
        page.goto(answer.url)
        self._devtools.send("Emulation.setScriptExecutionDisabled", {"value": False})
        page.unroute_all()
        return page

    @property
    def faults(self) -> list[str]:
        return self._visitor.faults


@pytest.fixture(scope="module")
def without_script(browser: Browser, portal: Served) -> Iterator[WithoutScript]:
    with visitors(browser, portal.url) as new_visitor:
        yield WithoutScript(new_visitor())


def looks(page: Page) -> Iterator[str]:
    """Every width and colour scheme, one after another.

    The screen is as high as the page: Chromium paints no more of a frame than would be on the screen.
    """
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        whole = page.evaluate("Math.max(innerHeight, document.documentElement.scrollHeight)")
        page.set_viewport_size({"width": width, "height": whole})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            yield f"{width}-{scheme}"


def violations(page: Page) -> dict[str, list[str]]:
    """What axe has against a page as it looks now: the HTML of each offender, by rule."""
    found: list[dict[str, Any]] = page.evaluate("options => axe.run(options).then(found => found.violations)", AXE)
    return {violation["id"]: [node["html"] for node in violation["nodes"]] for violation in found}


def sideways_scroll(page: Page) -> int:
    """By how many pixels a page is wider than the screen."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def test_the_title_and_the_focus_tell_of_a_problem(shown: Shown) -> None:
    has_problem = shown.page.locator(".problems").count() == 1

    assert shown.page.title().startswith("Error: ") == has_problem
    if has_problem:
        expect(shown.page.get_by_role("alert")).to_be_focused()
        expect(shown.page.get_by_role("alert").get_by_role("heading")).to_have_text("There is a problem")


def test_axe_finds_nothing_in_any_width_and_scheme_and_a_picture_is_kept(shown: Shown, screenshots: Path) -> None:
    shown.page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = {}
    for look in looks(shown.page):
        shown.page.screenshot(path=screenshots / f"{shown.name}-{look}.png")
        found |= {f"{look}: {rule}": html for rule, html in violations(shown.page).items()}
    assert found == {}


def test_axe_finds_nothing_without_script_either(shown: Shown, without_script: WithoutScript) -> None:
    if shown.page.url == "about:blank":
        pytest.skip("a mail, which has no script")
    page = without_script.show(shown)
    assert page.locator(".reveal, [data-busy]").count() == 0
    page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = {}
    for look in looks(page):
        found |= {f"{look}: {rule}": html for rule, html in violations(page).items()}
    assert found == {}
    assert without_script.faults == []


def test_nothing_scrolls_sideways_on_a_small_screen_or_at_four_times_the_size(shown: Shown) -> None:
    for direction in ("ltr", "rtl"):
        shown.page.evaluate("direction => { document.documentElement.dir = direction }", direction)
        for height in (640, 256):
            shown.page.set_viewport_size({"width": 320, "height": height})
            assert sideways_scroll(shown.page) <= 0, direction


def test_everything_to_press_is_large_enough_for_a_finger(shown: Shown) -> None:
    for width in WIDTHS:
        shown.page.set_viewport_size({"width": width, "height": 640})
        assert shown.page.evaluate(_TOO_SMALL) == []


def test_text_is_typed_in_letters_that_no_phone_zooms_in_on(shown: Shown) -> None:
    sizes = shown.page.evaluate(_LETTER_SIZES)
    assert [size for size in sizes if size < 16] == []


def test_each_line_of_the_summary_leads_to_its_field(shown: Shown) -> None:
    for link in shown.page.get_by_role("alert").get_by_role("link").all():
        words = link.inner_text()
        link.click()
        field = shown.page.locator(":focus")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(re.escape(words) + "$"))
        assert link.get_attribute("href") == f"#{field.get_attribute('name')}"


def test_nothing_is_said_in_the_console_or_asked_of_another_host(shown: Shown) -> None:
    assert shown.visitor.faults == []
