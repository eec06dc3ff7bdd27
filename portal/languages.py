"""The language of a page or a mail: chosen once, kept as an object for all its strings."""

from dataclasses import dataclass

from babel import Locale
from babel.support import NullTranslations
from flask import Flask, g, has_request_context, request
from flask_babel import get_locale, get_translations

from portal.extensions import babel

LANGUAGES = ("en",)


def register(app: Flask) -> None:
    """Let an app and its templates speak."""
    babel.init_app(app, locale_selector=_chosen_locale)

    def gettext(message: str) -> str:
        return current_language().translations.ugettext(message)

    def ngettext(singular: str, plural: str, count: int) -> str:
        return current_language().translations.ungettext(singular, plural, count)

    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined] # added by the extension


@dataclass(frozen=True)
class Language:
    """The language of an answer: looked up once, then kept as an object."""

    tag: str
    direction: str
    translations: NullTranslations


def current_language() -> Language:
    """The language of the page or mail that is being made."""
    if "language" not in g:
        locale = get_locale() or Locale("en")
        g.language = Language(str(locale).replace("_", "-"), locale.text_direction, get_translations())
    language: Language = g.language
    return language


def translate(message: str, **values: object) -> str:
    """A message in the current language, with its values filled in."""
    text: str = current_language().translations.ugettext(message)
    return text % values if values else text


def _chosen_locale() -> str:
    if not has_request_context():
        return LANGUAGES[0]
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
