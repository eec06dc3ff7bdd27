"""Every page in every state, in several widths and colour schemes, with axe."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.catalogue import STATES, STATES_OF_SCRIPT
from tests.browser.checks import (
    ONCE_EACH,
    ONE_LOOK,
    OTHER_LOOKS,
    WIDTHS,
    Scheme,
    WithoutScript,
    found_by_axe_in_looks,
    sideways_scroll,
)
from tests.browser.conftest import visitors
from tests.browser.stage import Stage
from tests.browser.visitor import Visitor
from tests.cli.process import Served
from tests.long_tests import LONG

pytestmark = pytest.mark.browser

REACHED = STATES | STATES_OF_SCRIPT

# Links inside text, such as addresses in an email, are excluded. In the mailbox and at a checkbox the whole row counts.
_TOO_SMALL = """[...document.querySelectorAll("a[href], button, input:not([type=hidden]):not(.visually-hidden)")]
  .filter(target => target.checkVisibility() && !target.matches("pre a, .link"))
  .map(target => [target, (target.closest(".mails li, .checkbox label") ?? target).getBoundingClientRect()])
  .filter(([, box]) => Math.min(box.width, box.height) < 44)
  .map(([target, box]) => `${target.outerHTML} ${box.width} x ${box.height}`)"""
_LETTER_SIZES = """[...document.querySelectorAll("main input:not([type=hidden], [type=checkbox], .visually-hidden)")]
  .map(input => parseFloat(getComputedStyle(input).fontSize))"""

# Fields without a visible label.
_UNLABELLED = """[...document.querySelectorAll("main input:not([type=hidden]):not(.visually-hidden)")]
  .filter(input => !input.matches("details:not([open]) *, form[hidden] *"))
  .filter(input => ![...input.labels].some(label => {
    const box = label.getBoundingClientRect();
    return label.innerText.trim() && box.width > 10 && box.height > 10 && label.checkVisibility({checkOpacity: true});
  }))
  .map(input => input.outerHTML)"""
# Password managers need exactly one user name beside each password: before it and in the same form. It is either a
# visible field or hidden visually, but never with `display: none`, which they ignore.
_WITHOUT_ACCOUNT = """[...document.querySelectorAll("main input[autocomplete$=-password]")].filter(password => {
  const names = [...password.form.querySelectorAll("[autocomplete^=username], [autocomplete=email]")];
  const [name] = names, box = name?.getBoundingClientRect();
  const before = name && name.compareDocumentPosition(password) & Node.DOCUMENT_POSITION_FOLLOWING;
  const seen = name && box.width > 1 && name.tabIndex === 0;
  const helping = name && box.width === 1 && name.tabIndex === -1 && name.value && name.checkVisibility();
  return names.length !== 1 || !before || !(seen || helping);
}).map(password => password.form.outerHTML)"""
# An error has words and an icon; colour alone is not enough.
_TOLD_BY_COLOUR_ALONE = """[...document.querySelectorAll("main [aria-invalid]")].filter(field => {
  const error = document.getElementById(`${field.id}-error`);
  return !(error && error.innerText.trim() && error.querySelector("svg.icon")?.getBoundingClientRect().width > 10);
}).map(field => field.outerHTML)"""


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


# `make test` reads the emails in tests/mail.
_PARAMS = [pytest.param(name, marks=pytest.mark.full) if name.startswith("mail-") else name for name in REACHED]


@pytest.fixture(scope="module", params=_PARAMS)
def shown(request: pytest.FixtureRequest, stage: Stage) -> Shown:
    """The state is reached once, for all tests that look at it."""
    stage.visitor.page.set_viewport_size({"width": 1280, "height": 800})
    stage.visitor.page.emulate_media(color_scheme="light")
    stage.visitor.faults.clear()
    REACHED[request.param](stage)
    return Shown(request.param, stage.visitor)


def test_the_title_and_the_focus_show_an_error(shown: Shown) -> None:
    summary, wrong = shown.page.locator(".problems"), shown.page.locator("[aria-invalid]")
    lines = summary.get_by_role("listitem").count()

    assert shown.page.title().startswith("Error: ") == (summary.count() + wrong.count() > 0)
    if summary.count():
        expect(shown.page.get_by_role("alert")).to_be_focused()
        expect(summary.get_by_role("heading")).to_have_count(1 if lines else 0)
        assert lines != 1
    elif wrong.count():
        expect(wrong).to_have_count(1)
        expect(wrong).to_be_focused()


@pytest.mark.parametrize(
    "schemes", [pytest.param(ONE_LOOK, id="one look"), pytest.param(OTHER_LOOKS, id="others", marks=pytest.mark.full)]
)
def test_axe_finds_nothing_in_any_width_and_scheme(
    shown: Shown, screenshots: Path, schemes: Mapping[int, Sequence[Scheme]]
) -> None:
    pictures = screenshots / shown.name if schemes is ONE_LOOK or LONG else None
    assert found_by_axe_in_looks(shown.page, schemes, pictures=pictures, seen_in_light=True) == {}


@pytest.mark.full
def test_axe_finds_nothing_without_script_either(shown: Shown, without_script: WithoutScript) -> None:
    if shown.name.startswith("mail-"):
        pytest.skip("an email has no script")
    page = without_script.show(shown.visitor)
    assert page.locator(".reveal, [data-busy]").count() == 0
    assert found_by_axe_in_looks(page, ONCE_EACH) == {}
    assert without_script.faults == []


def test_nothing_scrolls_sideways_on_a_small_screen_or_at_four_times_the_size(shown: Shown) -> None:
    for direction in ("ltr", "rtl"):
        shown.page.evaluate("direction => { document.documentElement.dir = direction }", direction)
        for height in (640, 256):
            shown.page.set_viewport_size({"width": 320, "height": height})
            assert sideways_scroll(shown.page) <= 0, direction


def test_touch_targets_are_large_enough(shown: Shown) -> None:
    for width in WIDTHS:
        shown.page.set_viewport_size({"width": width, "height": 640})
        assert shown.page.evaluate(_TOO_SMALL) == []


def test_field_text_is_large_enough_that_phones_do_not_zoom(shown: Shown) -> None:
    sizes = shown.page.evaluate(_LETTER_SIZES)
    assert [size for size in sizes if size < 16] == []


def test_each_field_has_a_visible_label(shown: Shown) -> None:
    assert shown.page.evaluate(_UNLABELLED) == []


def test_a_password_manager_finds_the_account_of_a_password(shown: Shown) -> None:
    assert shown.page.evaluate(_WITHOUT_ACCOUNT) == []


def test_no_error_is_shown_by_colour_alone(shown: Shown) -> None:
    assert shown.page.evaluate(_TOLD_BY_COLOUR_ALONE) == []


def test_each_line_of_the_error_summary_links_to_its_field(shown: Shown) -> None:
    for link in shown.page.get_by_role("alert").get_by_role("link").all():
        words = link.inner_text()
        link.click()
        field = shown.page.locator(":focus")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(re.escape(words) + "$"))
        assert link.get_attribute("href") == f"#{field.get_attribute('name')}"


def test_pages_log_nothing_to_the_console_and_request_no_other_host(shown: Shown) -> None:
    assert shown.visitor.faults == []
