"""A strict HTML parser, which reports every error of the markup instead of correcting it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})
_PHRASING_ONLY = frozenset({"p", "h1", "h2", "h3", "span", "button", "label", "a", "dt", "title"})
_BLOCKS = frozenset(
    {
        "div",
        "p",
        "ul",
        "ol",
        "dl",
        "li",
        "section",
        "form",
        "h1",
        "h2",
        "h3",
        "main",
        "header",
        "footer",
        "nav",
        "table",
    }
)
_CHILDREN = {"ul": {"li"}, "ol": {"li"}, "dl": {"div", "dt", "dd"}}


@dataclass
class Element:
    """An element with its content."""

    tag: str
    attributes: dict[str, str]
    children: "list[Element | str]" = field(default_factory=list)

    def __iter__(self) -> "Iterator[Element]":
        """Iterate over all descendants, in document order."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child

    def all(self, tag: str, **attributes: str) -> "list[Element]":
        """Return the descendants with a tag and attributes (an underscore in a name means a hyphen)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [e for e in self if e.tag == tag and wanted.items() <= e.attributes.items()]

    def one(self, tag: str, **attributes: str) -> "Element":
        """Return the only descendant with a tag and attributes."""
        (found,) = self.all(tag, **attributes)
        return found

    def get(self, name: str) -> str:
        """Return an attribute, or an empty string without one."""
        return self.attributes.get(name, "")

    @property
    def text(self) -> str:
        """The text of the element, with white space collapsed."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()


class _Parser(HTMLParser):
    """Builds the tree and records the errors."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#document", {})
        self.faults: list[str] = []
        self._open = [self.root]

    def handle_decl(self, decl: str) -> None:
        if decl.lower() != "doctype html":
            self.faults.append(f"unknown declaration {decl}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = self._add(tag, attrs)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not any(element.tag == "svg" for element in self._open):
            self.faults.append(f"<{tag}/> closes itself outside SVG")
        self._add(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._open[-1].tag == tag:
            self._open.pop()
        else:
            self.faults.append(f"</{tag}> where <{self._open[-1].tag}> is open")

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def close(self) -> None:
        super().close()
        self.faults += [f"<{element.tag}> is never closed" for element in self._open[1:]]

    def _add(self, tag: str, attrs: list[tuple[str, str | None]]) -> Element:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"<{tag}> has an attribute twice")
        parents = [element.tag for element in self._open]
        if tag in _BLOCKS and _PHRASING_ONLY & set(parents):
            self.faults.append(f"<{tag}> inside {parents}")
        if tag == "form" and "form" in parents:
            self.faults.append("a form inside a form")
        if parents[-1] in _CHILDREN and tag not in _CHILDREN[parents[-1]]:
            self.faults.append(f"<{tag}> is a child of <{parents[-1]}>")
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        return element


def read(text: str) -> tuple[Element, list[str]]:
    """Return the tree of a page, and the errors of its markup."""
    reader = _Parser()
    reader.feed(text)
    reader.close()
    faults = reader.faults
    ids = [element.get("id") for element in reader.root if element.get("id")]
    faults += [f"the id {name} stands twice" for name in set(ids) if ids.count(name) > 1]
    for element in reader.root:
        named = [
            element.get("for"),
            element.get("form"),
            *element.get("aria-describedby").split(),
            *element.get("aria-labelledby").split(),
        ]
        if element.tag == "a" and element.get("href").startswith("#"):
            named.append(element.get("href")[1:])
        faults += [f"nothing has the id {name}" for name in named if name and name not in ids]
    if not text.lower().startswith("<!doctype html>"):
        faults.append("no doctype")
    return reader.root, faults
