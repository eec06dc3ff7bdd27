"""What the API calls what is kept about a customer: the names of import files and exports."""

_OTHERWISE = {"locale": "primaryLocale", "referral": "referralId"}


def api_name(column: str) -> str:
    """The API's name for a column: street_address is streetAddress there."""
    first, *rest = column.split("_")
    return _OTHERWISE.get(column) or first + "".join(part.title() for part in rest)
