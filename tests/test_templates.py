"""Every text of a template goes through gettext, in each branch."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
ENGLISH_ONLY = frozenset({"api/docs.html"})
"""For programmers of shops: like the API, its page is in English."""
_READ_ALOUD = frozenset({"alt", "aria-description", "aria-label", "content", "placeholder", "title"})
_FOR_MACHINES = frozenset(
    {"color-scheme", "format-detection", "supported-color-schemes", "viewport", "robots", "referrer"}
)
"""Names of <meta> whose content is not for people."""
_MARKUP = re.compile(r"(?s)\{% block main_(?:class|data) %\}.*?\{% endblock %\}|\{%- macro state\(.*?endmacro")
"""Parts of templates inside the tag of an element."""
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


class _Words(HTMLParser):
    """Collects the text that is shown or read aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag in ("style", "script")
        given = dict(attrs)
        if tag == "meta" and (given.get("name") in _FOR_MACHINES or "http-equiv" in given):
            return
        self.found += [value or "" for name, value in attrs if name in _READ_ALOUD]

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag not in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.found.append(data)


def words_outside_gettext(text: str) -> Iterator[str]:
    """Return the text of a template without its tags and expressions."""
    reader = _Words()
    reader.feed(_JINJA.sub("", _MARKUP.sub("", text)))
    reader.close()
    return (words.strip() for words in reader.found if re.search(r"[^\W\d_]", words))


@pytest.mark.parametrize(
    "name", sorted({path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.*")} - ENGLISH_ONLY)
)
def test_every_text_in_a_template_is_translatable(name: str) -> None:
    assert list(words_outside_gettext((TEMPLATES / name).read_text("utf-8"))) == []


def test_no_template_uses_shapes_of_an_svg_file() -> None:
    """Chromium does not finish loading a page while another one in its process uses the same file."""
    assert [
        path.name for path in TEMPLATES.rglob("*.*") if re.search("<use [^>]*href=(?![\"']#)", path.read_text("utf-8"))
    ] == []


def test_untranslatable_texts_in_a_template_are_found() -> None:
    found = words_outside_gettext(
        """<p class="a" title="One">{% if x %}Two{% endif %} {{ _('three') }}</p><style>.four {}</style><b alt="">5</b>
        """
    )
    assert list(found) == ["One", "Two"]


def test_the_style_sheets_know_no_left_and_right() -> None:
    """Logical properties only, so that languages that are written from right to left need no others."""
    physical = re.compile(
        r"(?<![\w-])(?:(?:margin|padding|border|inset)-)?(?:left|right|top|bottom)\s*:|: (?:left|right)\b"
    )
    for path in (TEMPLATES.parent / "static").glob("*.css"):
        assert physical.findall(path.read_text("utf-8")) == [], path.name
