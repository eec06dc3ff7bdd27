"""Countries, by their ISO 3166-1 codes."""

from babel import Locale

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.text import cleaned

_NO_COUNTRIES = frozenset(["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"])
"""Two letters that Babel (CLDR) knows and ISO 3166-1 has not assigned to a country."""
COUNTRIES = {str(code) for code in Locale("en").territories if len(str(code)) == 2} - _NO_COUNTRIES
"""ISO 3166-1 alpha-2."""


def parse_country(text: str) -> str:
    """A country as its ISO 3166-1 alpha-2 code in capitals; raises InvalidValue."""
    text = cleaned(text)
    code = text.upper()
    if not text.isascii() or code not in COUNTRIES:  # "\u00df" has the capitals SS
        raise InvalidValue(N_("Enter the country as its two-letter code, like CZ or GB."))
    return code
