"""The catalogues: one .po file a language beside this module. English has none; it is what stands in the sources.

They are read as translators write them: Babel compiles each in memory, the first time its language is spoken. No
compiled file is kept, so a fresh clone, a test and a wheel speak every language with nothing to build before, and
nothing can be out of date or in conflict.
"""

import re
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

FOLDER = Path(__file__).resolve().parent
_KEPT_TOGETHER = {"cs": re.compile(r"(?<!\w)([AIKOSUVZ]) ", re.IGNORECASE)}
"""Czech never ends a line with a word of one letter. Translators type a space there, and readers get one that holds."""


def locales(folder: Path = FOLDER) -> list[Locale]:
    """Every locale that there is a catalogue for."""
    return [Locale.parse(path.stem) for path in sorted(folder.glob("*.po"))]


def read(locale: Locale, folder: Path = FOLDER) -> NullTranslations:
    """The translations into one language. Fuzzy ones, which nobody has checked, are left out."""
    with (folder / f"{locale}.po").open("rb") as file:
        catalogue = read_po(file, locale=locale, abort_invalid=True)
    if locale.language in _KEPT_TOGETHER:
        for message in catalogue:
            message.string = _kept_together(message.string, _KEPT_TOGETHER[locale.language])
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def _kept_together(string: str | list[str] | tuple[str, ...] | None, pattern: re.Pattern[str]) -> str | tuple[str, ...]:
    if isinstance(string, str) or string is None:
        return pattern.sub("\\1\N{NO-BREAK SPACE}", string or "")
    return tuple(pattern.sub("\\1\N{NO-BREAK SPACE}", form) for form in string)
