"""An organisation's accent colour, made readable in the light and in the dark.

What it must stand out from is what static/portal.css paints behind links, and on buttons.
"""

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass

CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of any size."""
TINT = 0.1
"""How much of the accent lies on the surface behind a button without a border, while it is pointed at."""
_STEP = 1 / 512

Rgb = tuple[float, ...]
"""Red, green and blue from 0 to 1."""


@dataclass(frozen=True)
class Scheme:
    """The colours behind text in the accent, and of the text on a button in the accent."""

    page: str
    surface: str
    ink: str
    own: str
    """The portal's own accent."""
    is_dark: bool


LIGHT = Scheme(page="#f7f5f1", surface="#ffffff", ink="#ffffff", own="#0d5f5b", is_dark=False)
DARK = Scheme(page="#121416", surface="#1a1d20", ink="#121416", own="#7bd3c4", is_dark=True)


def readable(accent: str, scheme: Scheme) -> str:
    """The colour nearest to an accent, of its hue, that can be read in a scheme: darker, or lighter in the dark."""
    hue, lightness, saturation = rgb_to_hls(*_rgb(accent))
    colour = accent
    while not _is_readable(colour, scheme):
        lightness += _STEP if scheme.is_dark else -_STEP
        colour = _hex(hls_to_rgb(hue, min(max(lightness, 0), 1), saturation))
    return colour


def shown(accent: str | None, scheme: Scheme) -> str:
    """An organisation's accent as a scheme shows it; of one that has none, the portal's own."""
    return scheme.own if accent is None else readable(accent, scheme)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    return _ratio(_rgb(one), _rgb(other))


def _is_readable(colour: str, scheme: Scheme) -> bool:
    rgb, surface = _rgb(colour), _rgb(scheme.surface)
    tinted = tuple(below + (above - below) * TINT for above, below in zip(rgb, surface, strict=True))
    others = (_rgb(scheme.page), surface, tinted, _rgb(scheme.ink))
    return all(_ratio(rgb, other) >= CONTRAST for other in others)


def _ratio(one: Rgb, other: Rgb) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: Rgb) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: str) -> Rgb:
    return tuple(part / 255 for part in bytes.fromhex(colour.removeprefix("#")))


def _hex(rgb: Rgb) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)
