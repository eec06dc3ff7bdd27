"""Parse phone numbers."""

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.text import cleaned, without_separators

_INCOMPLETE = N_("Enter the whole phone number with its country code, like +420 777 123 456.")
_NOT_OF_COUNTRY = N_(
    "Enter the whole phone number. If it isn't one of your country, begin with the country code, like +420 777 123 456."
)


def parse_phone(text: str, country: str | None = None) -> str:
    """Return a phone number in the stored form, "+420 777123456"; raises InvalidValue.

    A trunk prefix ("+44 (0)20 …", "+420 (0) 777 …") is removed if the country has none or it is not dialled from
    abroad, and kept if it is part of the number (Italy).
    Without a country code it is one of the country, an ISO 3166-1 code, if that is known.
    """
    import phonenumbers  # 58 modules, which no start needs

    message = _INCOMPLETE if country is None else _NOT_OF_COUNTRY
    text = cleaned(text).replace("(", "").replace(")", "")
    if len(text) > 40:  # longer than any number with spaces; rejected before a regular expression is matched
        raise InvalidValue(message)
    if any(map(str.isalpha, text)):  # phonenumbers would convert letters to keypad digits
        raise InvalidValue(message)
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, country)
        national = phonenumbers.national_significant_number(number)
        if national.startswith("0") and not phonenumbers.is_valid_number(number):
            national = national[1:]
            number = phonenumbers.parse(f"+{number.country_code}{national}")
            if not phonenumbers.is_valid_number(number):
                raise InvalidValue(message)
    except phonenumbers.NumberParseException:
        raise InvalidValue(message) from None
    has_code = text.startswith(("+", "\uff0b")) or country is not None
    if not has_code or not phonenumbers.is_possible_number(number) or number.extension:
        raise InvalidValue(message)
    return f"+{number.country_code} {national}"


def searched_phone(text: str) -> str:
    """Return a phone number, or a part of one, as it is searched in stored ones without their spaces: "777123456"."""
    try:
        text = parse_phone(text)
    except InvalidValue:  # only a part, or no number at all
        text = text.replace("(", "").replace(")", "")
    return without_separators(text)
