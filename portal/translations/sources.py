"""What is there to translate: read from the code and the templates, and written into the catalogues."""

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from babel import Locale
from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from portal.translations import FOLDER, locales

_CHECKOUT = FOLDER.parents[1]
_METHODS = [("portal/**.py", "python"), ("templates/**", "jinja2")]
_OPTIONS = {"templates/**": {"silent": "false"}}  # a template that cannot be read is an error, and not without words
_KEYWORDS = {**DEFAULT_KEYWORDS, "NN_": (1, 2)}
_COMMENT = "Translators:"
_WIDTH = 120


def messages() -> Catalog:
    """Every message of the sources, untranslated. Needs a checkout: in a wheel templates lie elsewhere."""
    template = Catalog(project="portal")
    found = extract_from_dir(_CHECKOUT, _METHODS, _OPTIONS, keywords=_KEYWORDS, comment_tags=(_COMMENT,))
    for filename, _line, message, comments, context in found:
        # No numbers of lines: they change with every line that is written above.
        location = (filename, cast(int, None))  # Babel's own way to leave the line out; its types do not know it
        template.add(message, None, [location], auto_comments=comments, context=context)
    return template


def refresh(wanted: Locale | None = None, folder: Path = FOLDER) -> list[tuple[Path, int]]:
    """Bring every catalogue in line with the sources, and begin one for a language that has none.

    What is translated stays; what the sources no longer say goes. Nothing is guessed: a message that was reworded is
    an untranslated one. Returns each catalogue with how many of its messages wait for a translator.
    """
    template = messages()
    return [
        _refresh_one(template, locale, folder)
        for locale in sorted({*locales(folder), *([wanted] if wanted else [])}, key=str)
    ]


def _refresh_one(template: Catalog, locale: Locale, folder: Path) -> tuple[Path, int]:
    path = folder / f"{locale}.po"
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=locale, abort_invalid=True)
    else:
        catalogue = _new(locale)
    template.creation_date = catalogue.creation_date
    catalogue.update(template, no_fuzzy_matching=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=_WIDTH, ignore_obsolete=True)
    return path, sum(bool(message.id) and not all(forms(message)) for message in catalogue)


def _new(locale: Locale) -> Catalog:
    header = f"# The portal in {locale.english_name}."
    return Catalog(
        locale,
        header_comment=header,
        project="customer",
        version="portal",
        msgid_bugs_address="",
        last_translator="",
        language_team="",
        revision_date=datetime.now(UTC),
        fuzzy=False,
    )


def forms(message: Message) -> tuple[str, ...]:
    """What a message is translated into: one text, or one for each form of a plural; empty where there is none yet."""
    string = message.string or ""
    return (string,) if isinstance(string, str) else tuple(text or "" for text in string)
