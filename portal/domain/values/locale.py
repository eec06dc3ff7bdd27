"""Parse language tags (BCP 47)."""

import re

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.text import cleaned
from portal.storage.models import LOCALE_LENGTH

LANGUAGE_TAG = (
    "[A-Za-z]{2,3}(-[A-Za-z]{3}){0,3}"  # language and extended language
    "(-[A-Za-z]{4})?"  # script
    "(-([A-Za-z]{2}|[0-9]{3}))?"  # region
    "(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"  # variants
    "(-[A-WY-Za-wy-z0-9](-[A-Za-z0-9]{2,8})+)*"  # extensions
    "(-[Xx](-[A-Za-z0-9]{1,8})+)?"  # private use
)
"""RFC 5646, 2.1, without grandfathered tags and tags for private use only."""
_SINGLETON = re.compile(r"-.(-|$)")


def parse_locale(text: str) -> str:
    """Return a BCP 47 tag in the recommended case ("zh-Hant-TW"); raises InvalidValue.

    Any well-formed tag is accepted. For a language without translations the portal uses its default language.
    """
    text = cleaned(text)
    if len(text) > LOCALE_LENGTH or not re.fullmatch(LANGUAGE_TAG, text):
        raise InvalidValue(N_("Enter the language as a tag such as cs or en-GB."))
    tag = ""
    for part in text.lower().split("-"):
        # After the language come script and region; after a single letter or digit all is lower case (2.1.1).
        if tag and part.isalpha() and not _SINGLETON.search(tag):
            part = {2: part.upper(), 4: part.title()}.get(len(part), part)
        tag = f"{tag}-{part}" if tag else part
    return tag
