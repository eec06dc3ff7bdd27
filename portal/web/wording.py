"""Template filters that format times, browsers and locations in the language of the page."""

from datetime import UTC, datetime, timedelta

from babel import Locale
from babel.dates import format_date, format_time
from flask import Flask
from markupsafe import Markup

from portal.app import context_of, current_context
from portal.domain.messages import N_
from portal.domain.values.user_agents import read_user_agent
from portal.i18n import SOURCE, current_language, duration_text, translate

_BRITISH = Locale("en", "GB")
"""English has no country in the portal, and CLDR formats that as American."""


def register(app: Flask) -> None:
    """Add the filters to an app, and its rules as a variable."""
    app.jinja_env.filters |= {
        "moment": moment,
        "day": day,
        "duration": duration,
        "browser": browser,
        "place": place,
    }
    app.jinja_env.globals["rules"] = context_of(app).rules


def _locale() -> Locale:
    locale = current_language().locale
    return _BRITISH if locale == SOURCE else locale


def day(when: datetime) -> str:
    """Format a date, such as 29 November 2026, that no line breaks into two."""
    return format_date(when.astimezone(UTC), "long", locale=_locale()).replace(" ", "\N{NO-BREAK SPACE}")


def moment(when: datetime) -> Markup:
    """Format a date and time in UTC; the page's script converts it to the reader's time zone."""
    locale, when = _locale(), when.astimezone(UTC)
    words = locale.datetime_formats["medium"].format(format_time(when, "short", locale=locale), day(when))
    stamp = when.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" data-local="{}">{} UTC</time>').format(
        stamp, str(locale).replace("_", "-"), words
    )


def duration(lasting: timedelta) -> str:
    """Format how long something lasts, such as 24 hours, that no line breaks into two."""
    return duration_text(lasting).replace(" ", "\N{NO-BREAK SPACE}")


def browser(user_agent: str | None) -> str:
    """Return browser and system, such as Chrome on Windows."""
    name, system = read_user_agent(user_agent)
    if name and system:
        # Translators: a browser and a system, as in "Chrome on Windows".
        return translate(N_("%(browser)s on %(system)s"), browser=name, system=system)
    return name or system or translate(N_("Unknown browser"))


def place(ip: str | None) -> str | None:
    """Return the location of an IP address, such as Prague, CZ; None without a GeoIP database or if unknown."""
    found = current_context().geoip.locate(ip)
    return found.place if found else None
