"""An accent colour of any kind gets enough contrast in the light and the dark scheme."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.values.colours import DARK, LIGHT, Scheme, contrast, readable, shown

CSS = Path(__file__).resolve().parents[3] / "static" / "portal.css"
SCHEMES = pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0)],
)
def test_contrast_is_computed_as_wcag_defines_it(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.005)


@SCHEMES
@given(accent=COLOURS)
def test_every_accent_gets_a_readable_contrast(scheme: Scheme, accent: str) -> None:
    colour = readable(accent, scheme)
    assert re.fullmatch("#[0-9a-f]{6}", colour)
    for other in (scheme.page, scheme.surface, scheme.ink):
        assert contrast(colour, other) >= 4.5


@SCHEMES
@given(accent=COLOURS)
def test_a_readable_accent_is_unchanged(scheme: Scheme, accent: str) -> None:
    colour = readable(accent, scheme)
    assert readable(colour, scheme) == colour


@pytest.mark.parametrize(
    ("accent", "light", "dark"),
    [
        ("#0d5f5b", "#0d5f5b", None),
        ("#7bd3c4", None, "#7bd3c4"),
        ("#000000", "#000000", None),
        ("#ffffff", None, "#ffffff"),
    ],
)
def test_a_colour_readable_in_one_scheme_is_changed_for_the_other_only(
    accent: str, light: str | None, dark: str | None
) -> None:
    assert (readable(accent, LIGHT) == accent) == (light == accent)
    assert (readable(accent, DARK) == accent) == (dark == accent)


def test_the_colours_of_the_schemes_match_the_stylesheet() -> None:
    light, dark = (
        dict(re.findall(r"--(page|surface|accent): (#[0-9a-f]+);", part))
        for part in CSS.read_text("utf-8").split("@media (prefers-color-scheme: dark)")[:2]
    )
    assert (light["page"], light["surface"] + "fff", light["accent"]) == (LIGHT.page, LIGHT.surface, LIGHT.own)
    assert (dark["page"], dark["surface"], dark["accent"]) == (DARK.page, DARK.surface, DARK.own)


@SCHEMES
def test_an_organisation_without_an_accent_gets_the_default(scheme: Scheme) -> None:
    assert shown(None, scheme) == scheme.own == readable(scheme.own, scheme)
    assert shown("#808080", scheme) == readable("#808080", scheme)
