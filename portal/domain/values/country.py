"""Parse country codes (ISO 3166-1 alpha-2)."""

from babel import Locale

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.text import cleaned

_NO_COUNTRIES = frozenset(["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"])
"""Codes of Babel (CLDR) that ISO 3166-1 does not assign to a country."""
COUNTRIES = {str(code) for code in Locale("en").territories if len(str(code)) == 2} - _NO_COUNTRIES
"""ISO 3166-1 alpha-2."""


def parse_country(text: str) -> str:
    """Return a country code in upper case; raises InvalidValue."""
    text = cleaned(text)
    code = text.upper()
    if not text.isascii() or code not in COUNTRIES:  # "\u00df" is SS in upper case
        raise InvalidValue(N_("Enter the country as its two-letter code, like CZ or GB."))
    return code
