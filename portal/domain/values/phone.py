"""Phone numbers."""

import phonenumbers

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue


def parse_phone(text: str, country: str | None = None) -> str:
    """A phone number in the stored form, "+420 777123456"; raises InvalidValue.

    Without a country code it is one of the country, an ISO 3166-1 code, if that is known.
    """
    message = N_("Enter the phone number with its country code, like +420 777 123 456.")
    text = text.strip()
    if len(text) > 40:  # longer than any number with its spaces; refused before a pattern sees it
        raise InvalidValue(message)
    if any(character.isalpha() for character in text):  # phonenumbers would read them as digits of a keypad
        raise InvalidValue(message)
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise InvalidValue(message) from None
    if not (text.startswith("+") or country) or not phonenumbers.is_possible_number(number) or number.extension:
        raise InvalidValue(message)
    return f"+{number.country_code} {phonenumbers.national_significant_number(number)}"
