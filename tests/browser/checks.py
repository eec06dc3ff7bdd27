"""Check pages in several widths and colour schemes, with axe, and without JavaScript."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Frame, Page

from tests.browser.visitor import Visitor

WIDTHS = {320: 640, 1280: 800}
Scheme = Literal["light", "dark"]
SCHEMES: Sequence[Scheme] = ("light", "dark")
ONE_LOOK: Mapping[int, Sequence[Scheme]] = {320: ("light",)}
OTHER_LOOKS: Mapping[int, Sequence[Scheme]] = {320: ("dark",), 1280: SCHEMES}
ONCE_EACH: Mapping[int, Sequence[Scheme]] = {320: ("light",), 1280: ("dark",)}
"""Each width and scheme once, for pages whose other combinations another test checks."""
_AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
    "iframes": False,  # what a frame holds is scanned on its own
    "preload": {"assets": ["media"]},  # by default also style sheets, which none of these rules reads
}
_COLOUR_RULES = {**_AXE, "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""In the dark, only colours differ."""


def looks(page: Page, schemes: Mapping[int, Sequence[Scheme]]) -> Iterator[str]:
    """Show a page in some widths and colour schemes, one after another, and yield the name of each combination.

    The viewport is as high as the page, because Chromium paints only the part of a frame inside it.
    """
    for width in schemes:
        page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        whole = page.evaluate("Math.max(innerHeight, document.documentElement.scrollHeight)")
        page.set_viewport_size({"width": width, "height": whole})
        for scheme in schemes[width]:
            page.emulate_media(color_scheme=scheme)
            yield f"{width}-{scheme}"


def found_by_axe(page: Page | Frame, options: Mapping[str, Any] = _AXE) -> dict[str, list[str]]:
    """Return the violations that axe finds in a page or frame, as the HTML of the elements by rule."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    violations: list[dict[str, Any]] = page.evaluate(
        "options => axe.run(options).then(found => found.violations)", options
    )
    return {violation["id"]: [node["html"] for node in violation["nodes"]] for violation in violations}


def found_by_axe_in_looks(
    page: Page, schemes: Mapping[int, Sequence[Scheme]], *, pictures: Path | None = None, seen_in_light: bool = False
) -> dict[str, dict[str, list[str]]]:
    """Return the violations that axe finds in several looks, by look; `pictures` is the path of screenshots.

    If the page is also scanned in light colours at each width, only the rules about colours are applied to dark ones.
    """
    found = {}
    for look in looks(page, schemes):
        if pictures is not None:
            page.screenshot(path=pictures.with_name(f"{pictures.name}-{look}.png"))
        found[look] = found_by_axe(page, _COLOUR_RULES if seen_in_light and look.endswith("-dark") else _AXE)
    return {look: violations for look, violations in found.items() if violations}


def sideways_scroll(page: Page) -> int:
    """Return by how many pixels a page is wider than the viewport."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


class WithoutScript:
    """A browser that runs no JavaScript of its pages, but that of tests."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._devtools = visitor.context.new_cdp_session(visitor.page)

    def show(self, other: Visitor) -> Page:
        """Show the response that another visitor received last; the page of an email needs no second browser."""
        if other.page.url == "about:blank":
            return other.page
        answer = other.answer
        assert answer is not None
        body, page = answer.body(), self._visitor.page
        self._visitor.move_to(other.url)
        page.route(answer.url, lambda route: route.fulfill(status=answer.status, headers=answer.headers, body=body))
        self._devtools.send("Emulation.setScriptExecutionDisabled", {"value": True})
        page.goto(answer.url)
        self._devtools.send("Emulation.setScriptExecutionDisabled", {"value": False})
        page.unroute_all()
        return page

    @property
    def faults(self) -> list[str]:
        """The faults of its pages (Visitor.faults)."""
        return self._visitor.faults
