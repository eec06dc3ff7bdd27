"""Parse phone numbers."""

import phonenumbers

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue


def parse_phone(text: str) -> str:
    """Return a phone number in the stored form, "+420 777123456"; raises InvalidValue."""
    message = N_("Enter the phone number with its country code, like +420 777 123 456.")
    text = text.strip()
    if len(text) > 40:  # longer than any number with spaces; rejected before a regular expression is matched
        raise InvalidValue(message)
    if any(character.isalpha() for character in text):  # phonenumbers would convert letters to keypad digits
        raise InvalidValue(message)
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise InvalidValue(message) from None
    if not text.startswith("+") or not phonenumbers.is_possible_number(number) or number.extension:
        raise InvalidValue(message)
    return f"+{number.country_code} {phonenumbers.national_significant_number(number)}"
