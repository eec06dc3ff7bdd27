"""The Nu HTML checker finds no error and no warning in any page, email, style sheet or picture."""

import json
import re
from collections.abc import Iterable, Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.audit.tools import JAVA, PACKAGES, run
from tests.browser.catalogue import STATES
from tests.web.post import html_of

STATIC = Path(__file__).resolve().parents[2] / "static"

# Emails only: Outlook for Windows needs these attributes of tables, and ignores the styles that would replace them.
OUTLOOKS_OWN = re.compile(
    r"The “(align|border|cellpadding|cellspacing|height|valign|width)” attribute on the “(table|td|img)” element"
    r"|Property “mso-[a-z-]+” doesn't exist"
)
# Defined in CSS Working Drafts, and supported by browsers since 2023, but unknown to the checker.
NEWER_CSS = re.compile("“@view-transition”|“view-transition-name”")


def complaints(files: Iterable[Path], *options: str) -> dict[str, list[str]]:
    """Return the checker's messages by file name without suffix; only files with messages."""
    jar = PACKAGES / "vnu-jar" / "build" / "dist" / "vnu.jar"
    printed = run(JAVA, "-jar", jar, "--stdout", "--format", "json", "--exit-zero-always", *options, *files)
    found: dict[str, list[str]] = {}
    for message in json.loads(printed)["messages"]:
        kind = message.get("subType", message["type"])
        words = f"{kind}: {message['message']} {message.get('extract', '').strip()!r}"
        found.setdefault(Path(unquote(urlsplit(message["url"]).path)).stem, []).append(words)
    return found


def written(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write texts into files for the checker."""
    files = []
    for name, text in texts.items():
        files.append(folder / f"{name}.html")
        files[-1].write_text(text, encoding="utf-8")
    return files


@pytest.fixture(scope="module")
def of_pages(answers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return the messages about all pages, in one run: the checker takes longer to start than to read them."""
    return complaints(written(answers, tmp_path_factory.mktemp("pages")))


@pytest.mark.parametrize("name", [name for name in STATES if not name.startswith("mail-")])
def test_each_page_is_valid_html(answers: dict[str, str], of_pages: dict[str, list[str]], name: str) -> None:
    assert answers[name].startswith("<!doctype html>")
    assert of_pages.get(name, []) == []


def test_each_email_is_valid_html(letters: dict[str, bytes], tmp_path: Path) -> None:
    mails = {
        name: message_from_bytes(raw, _class=EmailMessage, policy=default)  # decoded, as an email client does
        for name, raw in letters.items()
    }
    found = complaints(written({name: html_of(mail) for name, mail in mails.items()}, tmp_path))
    others = {name: [words for words in said if not OUTLOOKS_OWN.search(words)] for name, said in found.items()}
    assert {name: said for name, said in others.items() if said} == {}


def test_the_style_sheet_and_the_pictures_are_valid() -> None:
    found = complaints(STATIC.glob("*.css"), "--css")
    assert [words for said in found.values() for words in said if not NEWER_CSS.search(words)] == []
    assert complaints(STATIC.glob("*.svg"), "--svg") == {}
