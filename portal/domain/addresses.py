"""Normal forms of what people can be reached under: e-mail addresses, phone numbers.

Each is computed once, here, and stored; nothing else in the portal folds, trims or compares addresses.
"""

import re
from dataclasses import dataclass

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from portal.domain.errors import N_
from portal.domain.models import STRING_LENGTH

_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_CUSTOMER_REFERENCE = re.compile(r"[A-Za-z0-9]{16}", re.ASCII)


class InvalidAddress(ValueError):
    """The text is no address; the message (for the translators) says what to do."""


@dataclass(frozen=True)
class Address:
    """An e-mail address in its two forms."""

    email: str
    """Normalised: lower-cased, the domain in its IDNA form. What is stored, shown and mailed to."""
    key: str
    """Canonical: under which it is unique and counted. Drops what Gmail ignores; no other provider's rules."""

    @property
    def local_part(self) -> str:
        """What stands before the @."""
        return self.email.partition("@")[0]


def parse_email(text: str) -> Address:
    """Read an e-mail address; raises InvalidAddress.

    The local part is ASCII: look-alikes such as a dotless i would make two people of one, or one of two.
    """
    text = text.strip()
    if len(text) > STRING_LENGTH:
        raise InvalidAddress(N_("This e-mail address is too long. Check that it is only one address."))
    local, at, _ = text.rpartition("@")
    if at and not local.isascii():
        raise InvalidAddress(
            N_("The part before the @ may hold only plain letters, digits and signs, without accents. Please check it.")
        )
    if "=?" in local:  # mail programs would decode it into another address (RFC 2047)
        raise InvalidAddress(N_("Enter an e-mail address in the correct format, like name@example.com."))
    try:
        # test_environment accepts the reserved domain .test; every other special domain stays refused.
        found = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        raise InvalidAddress(N_("Enter an e-mail address in the correct format, like name@example.com.")) from None
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


def is_customer_reference(text: str) -> bool:
    """Whether a text has the form of a customer reference number: 16 alphanumerics."""
    return _CUSTOMER_REFERENCE.fullmatch(text) is not None
