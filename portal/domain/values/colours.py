"""Adjust an organisation's accent colour until it has enough contrast in the light and the dark scheme.

The contrast is with the colours of static/portal.css behind links, and of the text on buttons.
"""

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass

CONTRAST = 4.5
"""Minimum contrast ratio for text of any size (WCAG 2.2, 1.4.3)."""
TINT = 0.1
"""The share of the accent in the background of a borderless button on hover."""
_STEP = 1 / 512

Rgb = tuple[float, ...]
"""Red, green and blue from 0 to 1."""


@dataclass(frozen=True)
class Scheme:
    """The colours of a colour scheme that an accent colour is used with."""

    page: str
    surface: str
    ink: str
    """The text on a button in the accent colour."""
    own: str
    """The portal's own accent."""
    is_dark: bool


LIGHT = Scheme(page="#f7f5f1", surface="#ffffff", ink="#ffffff", own="#0d5f5b", is_dark=False)
DARK = Scheme(page="#121416", surface="#1a1d20", ink="#121416", own="#7bd3c4", is_dark=True)


def readable(accent: str, scheme: Scheme) -> str:
    """Return the nearest colour with the accent's hue and enough contrast: darker, or lighter in the dark scheme."""
    hue, lightness, saturation = rgb_to_hls(*_rgb(accent))
    colour = accent
    while not _is_readable(colour, scheme):
        lightness += _STEP if scheme.is_dark else -_STEP
        colour = _hex(hls_to_rgb(hue, min(max(lightness, 0), 1), saturation))
    return colour


def shown(accent: str | None, scheme: Scheme) -> str:
    """Return an organisation's accent colour for a scheme; the portal's own if it has none."""
    return scheme.own if accent is None else readable(accent, scheme)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
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
