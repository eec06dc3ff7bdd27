"""The languages of the portal, and the current language of a page or email."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import click
from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_date, format_time
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, g, has_request_context
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from portal.customisation import TRANSLATIONS, read_translations
from portal.domain.messages import NN_, Message, Plural
from portal.settings import WrongSetting

SOURCE = Locale("en")
"""The language of the messages in code and templates."""
_BRITISH = Locale("en", "GB")
"""The format of dates in English."""
FOLDER = Path(__file__).resolve().parent / "translations"
"""The catalogues, one folder for each language, compiled from .po files by `make` and by the installation."""

# Translators: how long something lasts, as in "The link expires after 24 hours."
_DAYS = NN_("%(num)d day", "%(num)d days")
# Translators: how long something lasts, as in "The link expires after 24 hours."
_HOURS = NN_("%(num)d hour", "%(num)d hours")
# Translators: how long something lasts, as in "The link expires after 24 hours."
_MINUTES = NN_("%(num)d minute", "%(num)d minutes")


@dataclass(frozen=True)
class Language:
    """A language of the portal, with its catalogue."""

    locale: Locale
    translations: NullTranslations
    """The catalogue; for the language of the sources, one without translations."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the catalogue from a language's folder; raises ClickException, which `flask` shows as one line."""
        path = folder / "LC_MESSAGES" / "messages.mo"
        try:
            with path.open("rb") as file:
                return cls(Locale.parse(folder.name), Translations(file))
        except FileNotFoundError:
            raise click.ClickException(f"{path}: missing; run `make messages`, or install the project.") from None

    @classmethod
    def from_override(cls, path: Path, known: Mapping[str, Self]) -> Self:
        """Read an operator's catalogue; messages that it lacks come from the known language. Raises WrongSetting."""
        name = path.parents[1].name
        try:
            locale = Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            raise WrongSetting("instance_path", f"contains translations/{name}, which is no language") from None
        translations = read_translations(path, name)
        language = cls(locale, translations)
        if shipped := known.get(language.tag):
            translations.add_fallback(shipped.translations)
        return language

    @cached_property
    def tag(self) -> str:
        """The BCP 47 tag."""
        return str(self.locale).replace("_", "-")

    @cached_property
    def name(self) -> str:
        """The language's name in the language itself."""
        name = self.locale.display_name or self.tag
        return name[0].upper() + name[1:]

    @cached_property
    def direction(self) -> str:
        """The direction of writing: ltr or rtl."""
        return self.locale.text_direction


class Languages:
    """All languages of an app: English, and each that has a catalogue in a folder, by default the portal's own.

    The messages in the catalogues of the folder `overrides` (the operator's, .po) come first.
    """

    def __init__(self, folder: Path | None = None, overrides: Path | None = None) -> None:
        found = sorted((folder or FOLDER).glob("*/LC_MESSAGES"))
        shipped = [Language(SOURCE, NullTranslations()), *(Language.load(path.parent) for path in found)]
        self._by_tag = {language.tag: language for language in shipped}
        for path in sorted(overrides.glob("*/LC_MESSAGES/messages.po")) if overrides else ():
            language = Language.from_override(path, self._by_tag)
            self._by_tag[language.tag] = language
        self.source = self._by_tag[shipped[0].tag]
        self.choose: Callable[[], Language] = lambda: self.source
        """Returns the language of a request; set by the pages."""

    def __len__(self) -> int:
        return len(self._by_tag)

    def __iter__(self) -> Iterator[Language]:
        return iter(self._by_tag.values())

    @cached_property
    def tags(self) -> list[str]:
        """The BCP 47 tags, English first."""
        return list(self._by_tag)

    def find(self, tag: str | None) -> Language | None:
        """Find the language with exactly this tag."""
        return self._by_tag.get(tag or "")

    def nearest(self, *wanted: str | None) -> Language | None:
        """Find the first language that matches one of these BCP 47 tags, in any case, such as cs for cs-CZ."""
        if not any(wanted):
            return None
        # It returns a tag as it is spelled in `wanted`.
        tag = negotiate_locale([tag or "" for tag in wanted], self.tags, sep="-")
        return next((language for language in self if tag and language.tag.lower() == tag.lower()), None)


def register(app: Flask) -> None:
    """Load the languages of an app, and install gettext in its templates."""
    app.extensions["portal_languages"] = Languages(overrides=Path(app.instance_path) / TRANSLATIONS)

    # Jinja's own functions of this kind take four times as long, and a page has dozens of strings.
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.newstyle_gettext = True  # type: ignore[attr-defined] # of the extension: `trans` passes its variables on
    app.jinja_env.globals |= {"_": _gettext, "gettext": _gettext, "ngettext": _ngettext}


@pass_eval_context
def _gettext(context: EvalContext, message: str, /, **values: object) -> str:
    return _filled_in(context, current_language().translations.ugettext(message), values)


@pass_eval_context
def _ngettext(context: EvalContext, singular: str, plural: str, count: int, /, **values: object) -> str:
    text = current_language().translations.ungettext(singular, plural, count)
    return _filled_in(context, text, {"num": count, **values})


def _filled_in(context: EvalContext, text: str, values: dict[str, object]) -> str:
    """Fill in the values of a template's message; in HTML they are escaped, and the message is not."""
    message = Markup(text) if context.autoescape else text  # noqa: S704 - the text is of a catalogue
    return message % values if "%" in text else message


def languages_of(app: Flask) -> Languages:
    """Return the languages of an app."""
    return cast(Languages, app.extensions["portal_languages"])


def current_language() -> Language:
    """Return the language of the page or email that is being rendered."""
    language: Language | None = g.get("language")  # cached, since every string of a page asks for it
    if language is None:
        languages = languages_of(current_app)
        language = g.language = languages.choose() if has_request_context() else languages.source
    return language


@contextmanager
def speaking(app: Flask, *wanted: str | None) -> Iterator[Language]:
    """Use the first language that matches one of these tags, or English, in a new app context."""
    languages = languages_of(app)
    with app.app_context():
        g.language = languages.nearest(*wanted) or languages.source
        yield g.language


def translate(message: Message, **values: Any) -> str:
    """Translate a message into the current language and fill in its values; `num` chooses the form of a plural."""
    catalogue = current_language().translations
    if isinstance(message, Plural):
        text: str = catalogue.ungettext(message.singular, message.plural, values["num"])
    else:
        text = catalogue.ugettext(message)
    return text % values if values else text


def moment_text(moment: datetime) -> str:
    """Write a time in the current language, such as "29 November 2026, 23:34 UTC"."""
    language = current_language().locale
    locale = _BRITISH if language == SOURCE else language
    date = format_date(moment.astimezone(UTC), "long", locale=locale)
    time = format_time(moment, "short", tzinfo=UTC, locale=locale)
    return f"{locale.datetime_formats['medium'].format(time, date)} UTC"


def duration_text(duration: timedelta) -> str:
    """Format a lifetime, rounded down to minutes, such as "24 hours" or "3 hours 20 minutes"."""
    minutes = max(1, int(duration.total_seconds()) // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24) if hours >= 48 else (0, hours)
    parts = []
    if days:
        parts.append(translate(_DAYS, num=days))
    if hours:
        parts.append(translate(_HOURS, num=hours))
    if minutes:
        parts.append(translate(_MINUTES, num=minutes))
    return " ".join(parts)
