"""Pages with a keyboard only, with forced colours, and with reduced motion."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NewVisitor, visitors
from tests.browser.visitor import Visitor
from tests.cli.process import Served

pytestmark = [pytest.mark.browser, pytest.mark.full]

PAGES = ["/login", "/register", "/password/reset", "/account", "/account/password", "/dev/mailbox", "/nothing-here"]
_OUTLINE = "element => { const s = getComputedStyle(element); return `${s.outlineStyle} ${s.outlineWidth}` }"
_MOVING = """[...document.querySelectorAll("*")].flatMap(element => ["", "::before", "::after"].map(part => {
  const style = getComputedStyle(element, part || null);
  return [element.outerHTML, style.transitionDuration, style.animationName];
})).filter(([, transition, animation]) => transition !== "0s" || animation !== "none")"""
_EDGES = """[...document.querySelectorAll("main input:not([type=hidden]):not(.visually-hidden), main button, .button")]
  .map(element => [element, getComputedStyle(element)])
  .map(([element, style]) => ({
    html: element.outerHTML,
    border: element.type === "checkbox" || (style.borderTopStyle !== "none" && parseFloat(style.borderTopWidth) >= 1),
    told_apart: element.type === "checkbox" || style.borderTopColor !== getComputedStyle(document.body).backgroundColor,
    readable: style.color !== style.backgroundColor,
  }))"""


@pytest.fixture(scope="module")
def guest_and_member(browser: Browser, portal: Served) -> Iterator[tuple[Visitor, Visitor]]:
    with visitors(browser, portal.url) as new:
        guest, member = new(), new()
        member.register("senses@example.com")
        member.confirm("senses@example.com")
        yield guest, member


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, guest_and_member: tuple[Visitor, Visitor]) -> Page:
    """Each page, with the customer who may see it."""
    guest, member = guest_and_member
    visitor = member if request.param.startswith("/account") else guest
    visitor.page.emulate_media(forced_colors="none", reduced_motion="no-preference")
    visitor.go(request.param)
    visitor.blur()
    return visitor.page


def test_the_tab_key_reaches_everything_in_order_with_visible_focus(page: Page) -> None:
    targets = [
        target
        for target in page.locator("a[href], button, input, summary").all()
        if target.evaluate("target => target.checkVisibility() && target.tabIndex >= 0")
    ]
    assert targets[0].inner_text() == "Skip to main content"

    outlines = [target.evaluate(_OUTLINE) for target in targets]
    targets[0].focus()
    for number, (target, before) in enumerate(zip(targets, outlines, strict=True)):
        if number > 0:
            page.keyboard.press("Tab")
        expect(target).to_be_focused()
        expect(target).to_be_in_viewport()
        after = target.evaluate(_OUTLINE)
        assert after != before
        assert after.startswith("solid ")


def test_forced_colours_leave_edges_around_fields_and_buttons(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    for edge in page.evaluate(_EDGES):
        assert edge["border"], edge["html"]
        assert edge["told_apart"], edge["html"]
        assert edge["readable"], edge["html"]


def test_reduced_motion_is_respected(page: Page) -> None:
    page.evaluate("for (const form of document.forms) form.toggleAttribute('data-busy', true)")
    assert page.locator("form").count() == 0 or page.evaluate(_MOVING) != []

    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(_MOVING) == []


def test_pages_follow_the_preferred_colour_scheme(page: Page) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, forced_colors="none")
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light dark"
        seen[scheme] = sum(colour(page, "body", "background-color"))
    assert seen["dark"] < 1 < 2 < seen["light"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fields_stand_out_from_what_is_around_them(new_visitor: NewVisitor, scheme: str) -> None:
    visitor = new_visitor(color_scheme=scheme)
    visitor.go("/login")
    visitor.blur()
    for field in ("[name=email]", "[name=password]", "[name=remember]"):
        border = colour(visitor.page, field, "border-top-color")
        assert contrast(border, colour(visitor.page, field, "background-color")) >= 3
        assert contrast(border, colour(visitor.page, "body", "background-color")) >= 3


def colour(page: Page, selector: str, which: str) -> list[float]:
    """Red, green and blue, 0 to 1."""
    text = page.locator(selector).evaluate("(element, which) => getComputedStyle(element)[which]", which)
    assert text.startswith("rgb(")
    return [int(part) / 255 for part in text.removeprefix("rgb(").removesuffix(")").split(",")]


def contrast(one: list[float], other: list[float]) -> float:
    """The contrast ratio of WCAG 2."""
    darker, lighter = sorted(
        sum(
            share * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
            for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )
        for parts in (one, other)
    )
    return (lighter + 0.05) / (darker + 0.05)
