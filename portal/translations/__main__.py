"""`make language LOCALE=de` adds a language; `make messages` brings every catalogue in line with the sources."""

import click
from babel import Locale, UnknownLocaleError

from portal.translations.sources import refresh


def _locale(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Locale | None:
    if text is None:
        return None
    try:
        locale = Locale.parse(text.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        raise click.BadParameter(f"{text!r} is no language that Babel knows; write for example de or pt-BR.") from None
    if locale.language == "en":
        raise click.BadParameter("English is what stands in the sources; change its words there.")
    return locale


@click.command()
@click.argument("locale", required=False, callback=_locale)
def main(locale: Locale | None) -> None:
    """Write the catalogues anew, and begin one for LOCALE."""
    for path, waiting in refresh(locale):
        click.echo(f"{path}: " + (f"{waiting} messages to translate" if waiting else "complete"))


main()
