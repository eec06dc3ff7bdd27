"""The declaration of one setting, and the table of settings for the docs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Reader = Callable[[str], object]
"""Parses the text of a setting; raises ValueError with the problem (values.py)."""


@dataclass(frozen=True)
class Declaration:
    """The parser, default and meaning of a setting."""

    read: Reader
    default: str | None
    """As it is written in the environment."""
    meaning: str
    """In Markdown, for docs/settings.md."""
    shown: str | None = None
    """The default in words, where its text does not say it."""


def markdown_table(declarations: Mapping[str, Declaration]) -> str:
    """Render the table of settings for docs/settings.md."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, found in declarations.items():
        default = found.shown or (f"`{found.default}`" if found.default else "none")
        rows.append(f"| `{name.upper()}` | {default} | {found.meaning} |")
    return "\n".join([*rows, ""])
