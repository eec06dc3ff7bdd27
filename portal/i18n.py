"""The language of a page or a mail: chosen once, kept as an object for all its strings."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import click
from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_date, format_time
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, g, has_request_context

from portal.customisation import TRANSLATIONS, read_translations
from portal.domain.messages import Message, Plural
from portal.settings import WrongSetting

SOURCE = Locale("en")
"""What stands in the code and the templates."""
_BRITISH = Locale("en", "GB")
"""How dates are written in English."""
FOLDER = Path(__file__).resolve().parent / "translations"
"""The catalogues, one folder a language, compiled from .po files by `make`, and when the project is installed."""


@dataclass(frozen=True)
class Language:
    """A language that the portal speaks."""

    locale: Locale
    translations: NullTranslations
    """What its messages are translated into; nothing for the language of the sources."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the catalogue in a language's folder; raises ClickException, whose line `flask` shows as well."""
        path = folder / "LC_MESSAGES" / "messages.mo"
        try:
            with path.open("rb") as file:
                return cls(Locale.parse(folder.name), Translations(file))
        except FileNotFoundError:
            raise click.ClickException(f"{path} is missing: run `make messages`, or install the project.") from None

    @classmethod
    def own(cls, path: Path, known: Mapping[str, Self]) -> Self:
        """Read an operator's catalogue; what is not in it is said as before. Raises WrongSetting."""
        name = path.parents[1].name
        try:
            locale = Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            raise WrongSetting("instance_path", f"holds translations/{name}, which is no language") from None
        translations = read_translations(path, name)
        language = cls(locale, translations)
        if before := known.get(language.tag):
            translations.add_fallback(before.translations)
        return language

    @cached_property
    def tag(self) -> str:
        """As BCP 47 writes it."""
        return str(self.locale).replace("_", "-")

    @cached_property
    def name(self) -> str:
        """What its speakers call it."""
        name = self.locale.display_name or self.tag
        return name[0].upper() + name[1:]

    @cached_property
    def direction(self) -> str:
        """Which way it is written: ltr or rtl."""
        return self.locale.text_direction


class Languages:
    """All languages of an app: English, and each that has a catalogue in a folder, by default the portal's own.

    Catalogues in the folder `own` (the operator's, .po) come before them, text by text.
    """

    def __init__(self, folder: Path | None = None, own: Path | None = None) -> None:
        found = sorted((folder or FOLDER).glob("*/LC_MESSAGES"))
        spoken = [Language(SOURCE, NullTranslations()), *(Language.load(path.parent) for path in found)]
        self._by_tag = {language.tag: language for language in spoken}
        for path in sorted(own.glob("*/LC_MESSAGES/messages.po")) if own else ():
            language = Language.own(path, self._by_tag)
            self._by_tag[language.tag] = language
        self.source = self._by_tag[spoken[0].tag]
        self.choose: Callable[[], Language] = lambda: self.source
        """Chooses the language of a request; the pages put their own way here."""

    def __len__(self) -> int:
        return len(self._by_tag)

    def __iter__(self) -> Iterator[Language]:
        return iter(self._by_tag.values())

    @cached_property
    def tags(self) -> list[str]:
        """Their tags, English first."""
        return list(self._by_tag)

    def find(self, tag: str | None) -> Language | None:
        """The language with exactly this tag."""
        return self._by_tag.get(tag or "")

    def nearest(self, *wanted: str | None) -> Language | None:
        """The first language that is near to one of these BCP 47 tags, such as cs to cs-CZ."""
        return self.find(negotiate_locale([tag or "" for tag in wanted], self.tags, sep="-"))


def register(app: Flask) -> None:
    """Let an app and its templates speak."""
    app.extensions["portal_languages"] = Languages(own=Path(app.instance_path) / TRANSLATIONS)

    def gettext(message: str) -> str:
        return current_language().translations.ugettext(message)

    def ngettext(singular: str, plural: str, count: int) -> str:
        return current_language().translations.ungettext(singular, plural, count)

    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined] # added by the extension


def languages_of(app: Flask) -> Languages:
    """All languages of an app."""
    return cast(Languages, app.extensions["portal_languages"])


def current_language() -> Language:
    """The language of the page or mail that is being made."""
    language: Language | None = g.get("language")  # asked for with every string: one look at the context
    if language is None:
        languages = languages_of(current_app)
        language = g.language = languages.choose() if has_request_context() else languages.source
    return language


@contextmanager
def speaking(app: Flask, *wanted: str | None) -> Iterator[Language]:
    """Speak the first language that is near to one of these tags, else English, in an app context of its own."""
    languages = languages_of(app)
    with app.app_context():
        g.language = languages.nearest(*wanted) or languages.source
        yield g.language


def translate(message: Message, **values: Any) -> str:
    """A message in the current language, with its values filled in; `num` says which form of a plural."""
    found = current_language().translations
    if isinstance(message, Plural):
        text: str = found.ungettext(message.singular, message.plural, values["num"])
    else:
        text = found.ugettext(message)
    return text % values if values else text


def moment_text(moment: datetime) -> str:
    """Write a time in the current language, such as "29 November 2026, 23:34 UTC"."""
    language = current_language().locale
    locale = _BRITISH if language == SOURCE else language
    date = format_date(moment.astimezone(UTC), "long", locale=locale)
    time = format_time(moment, "short", tzinfo=UTC, locale=locale)
    return f"{locale.datetime_formats['medium'].format(time, date)} UTC"
