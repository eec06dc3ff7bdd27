"""Addresses that a customer may go on to when they are done here, and which of them get a hand-over code."""

from collections.abc import Collection
from urllib.parse import urlsplit

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.urls import origin_of, parse_page_url
from portal.storage.models import STRING_LENGTH

_HANDOVER_EXAMPLE = "https://shop.example.com/signed-in"


def parse_return_url(text: str, origins: Collection[str]) -> str:
    """An address on one of these origins, in its normal form; raises InvalidAddress.

    Origins are compared as a whole: another scheme, port, or host that only begins or ends alike is another site.
    """
    try:
        url = parse_page_url(text, STRING_LENGTH, "https://shop.example.com/welcome")
    except ValueError:
        raise InvalidValue(N_("Enter the whole address of a page, like https://shop.example.com/welcome.")) from None
    if origin_of(url) not in origins:
        raise InvalidValue(
            N_("This address is not on one of the return origins. The portal's operator can add its origin to them.")
        )
    return url


def parse_handover_url(text: str) -> str:
    """Parse the address of a page without query and fragment; raises ValueError, with a sentence for the operator."""
    url = _with_path(parse_page_url(text, STRING_LENGTH, _HANDOVER_EXAMPLE))
    if {"?", "#"} & set(url):
        raise ValueError(
            f"{text[:80]!r} is not a hand-over address such as {_HANDOVER_EXAMPLE}, without query and fragment."
        )
    return url


def is_handover_url(url: str, handover_urls: Collection[str]) -> bool:
    """Whether a return address, in its normal form, is a hand-over address: compared whole but for its query.

    No prefixes, patterns or resolved dots: a page beside a listed one may leak what it is given (RFC 9700, 2.1, 4.1).
    """
    return "#" not in url and _with_path(url.partition("?")[0]) in handover_urls


def _with_path(url: str) -> str:
    """The address with the path that browsers ask for where it has none (RFC 3986, 6.2.3)."""
    return url if urlsplit(url).path else f"{url}/"
