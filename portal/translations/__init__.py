"""The catalogues: one .po file a language beside this module. English has none; it is what stands in the sources.

They are read as translators write them: Babel compiles each in memory, the first time its language is spoken. No
compiled file is kept, so a fresh clone, a test and a wheel speak every language with nothing to build before, and
nothing can be out of date or in conflict.
"""

from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

FOLDER = Path(__file__).resolve().parent


def locales(folder: Path = FOLDER) -> list[Locale]:
    """Every locale that there is a catalogue for."""
    return [Locale.parse(path.stem) for path in sorted(folder.glob("*.po"))]


def read(locale: Locale, folder: Path = FOLDER) -> NullTranslations:
    """The translations into one language. Fuzzy ones, which nobody has checked, are left out."""
    with (folder / f"{locale}.po").open("rb") as file:
        catalogue = read_po(file, locale=locale, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
