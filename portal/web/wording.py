"""Times, browsers and places as the account's pages name them, in the page's language."""

from datetime import UTC, datetime

from babel import Locale
from babel.dates import format_date, format_time
from flask import Flask
from markupsafe import Markup

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.values.user_agents import read_user_agent
from portal.i18n import SOURCE, current_language, translate

_BRITISH = Locale("en", "GB")
"""English stands here without a country, and CLDR takes that for American."""


def register(app: Flask) -> None:
    """Give an app's templates these as filters."""
    app.jinja_env.filters |= {"moment": moment, "day": day, "browser": browser, "place": place}


def _locale() -> Locale:
    locale = current_language().locale
    return _BRITISH if locale == SOURCE else locale


def day(when: datetime) -> str:
    """A date, such as 29 November 2026."""
    return format_date(when.astimezone(UTC), "long", locale=_locale())


def moment(when: datetime) -> Markup:
    """A date and time in UTC, which the page's script turns into the reader's own time zone."""
    locale, when = _locale(), when.astimezone(UTC)
    words = locale.datetime_formats["medium"].format(format_time(when, "short", locale=locale), day(when))
    stamp = when.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" data-local="{}">{} UTC</time>').format(
        stamp, str(locale).replace("_", "-"), words
    )


def browser(user_agent: str | None) -> str:
    """A browser and its system, such as Chrome on Windows."""
    name, system = read_user_agent(user_agent)
    if name and system:
        # Translators: a browser and a system, as in "Chrome on Windows".
        return translate(N_("%(browser)s on %(system)s"), browser=name, system=system)
    return name or system or translate(N_("Unknown browser"))


def place(ip: str | None) -> str | None:
    """About where an address is, such as Prague, CZ; None without a GeoIP database, or when it does not know."""
    found = current_context().geoip.locate(ip)
    return found.place if found else None
