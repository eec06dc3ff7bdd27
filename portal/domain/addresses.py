"""Normal forms of what people can be reached under: email addresses, phone numbers, countries, languages.

Each is computed once, here, and stored; nothing else in the portal folds, trims or compares them.
"""

import re
from dataclasses import dataclass

import phonenumbers
from babel import Locale
from email_validator import EmailNotValidError, validate_email

from portal.domain.errors import N_
from portal.domain.models import LOCALE_LENGTH, STRING_LENGTH

_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_CUSTOMER_REFERENCE = re.compile(r"[A-Za-z0-9]{16}", re.ASCII)
_NO_COUNTRIES = frozenset(["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"])
"""Two letters that Babel (CLDR) knows and ISO 3166-1 has not assigned to a country."""
COUNTRIES = {str(code) for code in Locale("en").territories if len(str(code)) == 2} - _NO_COUNTRIES
"""ISO 3166-1 alpha-2."""
_LANGUAGE_TAG = re.compile(
    r"""[a-z]{2,3}(-[a-z]{3}){0,3}    # language, and an extension of it
        (-[a-z]{4})?                  # script
        (-(?:[a-z]{2}|[0-9]{3}))?     # region
        (-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*   # variants
        (-[a-wyz0-9](-[a-z0-9]{2,8})+)*          # extensions
        (-x(-[a-z0-9]{1,8})+)?        # private use
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
"""RFC 5646, 2.1, without the tags that it only keeps for their age and those of private use alone."""
_SINGLETON = re.compile(r"-.(-|$)")


class InvalidAddress(ValueError):
    """The text is no address; the message (for the translators) says what to do."""


@dataclass(frozen=True)
class Address:
    """An email address in its two forms."""

    email: str
    """Normalised: lower-cased, the domain in its IDNA form. What is stored, shown and mailed to."""
    key: str
    """Canonical: under which it is unique and counted. Drops what Gmail ignores; no other provider's rules."""

    def __str__(self) -> str:
        return self.email

    @property
    def local_part(self) -> str:
        """What stands before the @."""
        return self.email.partition("@")[0]


def parse_email(text: str) -> Address:
    """Read an email address; raises InvalidAddress.

    The local part is ASCII: look-alikes such as a dotless i would make two people of one, or one of two.
    """
    text = text.strip()
    if len(text) > STRING_LENGTH:
        raise InvalidAddress(N_("This email address is too long. Check that it is only one address."))
    local, at, _ = text.rpartition("@")
    if at and not local.isascii():
        raise InvalidAddress(
            N_("The part before the @ may hold only plain letters, digits and signs, without accents. Please check it.")
        )
    if "=?" in local:  # mail programs would decode it into another address (RFC 2047)
        raise InvalidAddress(N_("Enter an email address in the correct format, like name@example.com."))
    try:
        # test_environment accepts the reserved domain .test; every other special domain stays refused.
        found = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        raise InvalidAddress(N_("Enter an email address in the correct format, like name@example.com.")) from None
    local, domain = found.local_part.lower(), found.ascii_domain.lower()
    return Address(email=f"{local}@{domain}", key=_canonical(local, domain))


def _canonical(local: str, domain: str) -> str:
    if domain not in _GMAIL:
        return f"{local}@{domain}"
    # An address that is nothing but a tag is no Gmail address; it keeps its form, so that it equals no other.
    base = local.partition("+")[0].replace(".", "") or local
    return f"{base}@gmail.com"


def parse_phone(text: str) -> str:
    """A phone number in the stored form, "+420 777123456"; raises InvalidAddress."""
    message = N_("Enter the phone number with its country code, like +420 777 123 456.")
    text = text.strip()
    if len(text) > 40:  # longer than any number with its spaces; refused before a pattern sees it
        raise InvalidAddress(message)
    if any(character.isalpha() for character in text):  # phonenumbers would read them as digits of a keypad
        raise InvalidAddress(message)
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise InvalidAddress(message) from None
    if not text.startswith("+") or not phonenumbers.is_possible_number(number) or number.extension:
        raise InvalidAddress(message)
    return f"+{number.country_code} {phonenumbers.national_significant_number(number)}"


def parse_country(text: str) -> str:
    """A country as its ISO 3166-1 alpha-2 code in capitals; raises InvalidAddress."""
    code = text.strip().upper()
    if not text.isascii() or code not in COUNTRIES:  # "\u00df" has the capitals SS
        raise InvalidAddress(N_("Enter the country as its two-letter code, like CZ or GB."))
    return code


def parse_locale(text: str) -> str:
    """A language as a BCP 47 tag, in the usual case ("zh-Hant-TW"); raises InvalidAddress.

    Any well-formed tag is kept, also of a language that the portal does not speak: mails then come in its own.
    """
    text = text.strip()
    if len(text) > LOCALE_LENGTH or not _LANGUAGE_TAG.fullmatch(text):
        raise InvalidAddress(N_("Enter the language as a tag such as cs or en-GB."))
    tag = ""
    for part in text.lower().split("-"):
        # Behind the language stand script and region; behind a single letter or digit all is lower case (2.1.1).
        if tag and part.isalpha() and not _SINGLETON.search(tag):
            part = {2: part.upper(), 4: part.title()}.get(len(part), part)
        tag = f"{tag}-{part}" if tag else part
    return tag


def is_customer_reference(text: str) -> bool:
    """Whether a text has the form of a customer reference number: 16 alphanumerics."""
    return _CUSTOMER_REFERENCE.fullmatch(text) is not None
