"""What every template is given: language, organisation, versioned assets."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from babel import Locale
from babel.support import NullTranslations
from flask import Flask, current_app, g, has_request_context, request, session, url_for
from flask_babel import get_locale, get_translations

from portal.assembly import current_context
from portal.domain.organisations import Organisation, get_organisation
from portal.extensions import babel

LANGUAGES = ("en",)
DEFAULT_ORGANISATION = "default"


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


def current_organisation() -> Organisation:
    """The organisation whose portal this is."""
    organisation: Organisation | None = current_app.extensions.get("portal_organisation")
    if organisation is None:
        with current_context().database.read() as connection:
            organisation = get_organisation(connection, DEFAULT_ORGANISATION)
        current_app.extensions["portal_organisation"] = organisation
    return organisation


def _chosen_locale() -> str:
    if not has_request_context():
        return LANGUAGES[0]
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def register(app: Flask) -> None:
    """Give an app's templates what they need."""
    babel.init_app(app, locale_selector=_chosen_locale)
    versions = {
        path.relative_to(str(app.static_folder)).as_posix(): sha256(path.read_bytes()).hexdigest()[:12]
        for path in Path(str(app.static_folder)).rglob("*")
        if path.is_file()
    }

    def asset(name: str) -> str:
        """The address of a static file; it changes with the file, so that browsers may keep it for ever."""
        return url_for("static", filename=name, v=versions[name])

    def gettext(message: str) -> str:
        return current_language().translations.ugettext(message)

    def ngettext(singular: str, plural: str, count: int) -> str:
        return current_language().translations.ungettext(singular, plural, count)

    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined] # added by the extension
    app.jinja_env.globals["asset"] = asset

    @app.context_processor
    def page() -> dict[str, Any]:
        language = current_language()
        return {
            "lang": language.tag,
            "text_direction": language.direction,
            "organisation": current_organisation(),
            "customer": g.get("customer"),
            "notice": session.pop("notice", None) if "notice" in session else None,
        }
