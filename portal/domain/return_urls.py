"""Check return URLs, to which customers are redirected when they are done, and the ones that get a hand-over code."""

from collections.abc import Collection
from urllib.parse import urlsplit

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.urls import origin_of, parse_page_url
from portal.storage.models import STRING_LENGTH

_HANDOVER_EXAMPLE = "https://shop.example.com/signed-in"


def parse_return_url(text: str, origins: Collection[str]) -> str:
    """Return the normal form of a return URL, which must be on one of these origins; raises InvalidValue.

    Origins are compared exactly: another scheme, port or subdomain is another site.
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
    """Return the normal form of a hand-over URL, without query and fragment; raises ValueError for the operator."""
    url = _with_path(parse_page_url(text, STRING_LENGTH, _HANDOVER_EXAMPLE))
    if {"?", "#"} & set(url):
        raise ValueError(
            f"{text[:80]!r} is not a hand-over address such as {_HANDOVER_EXAMPLE}, without query and fragment."
        )
    return url


def is_handover_url(url: str, handover_urls: Collection[str]) -> bool:
    """Return whether a return URL in its normal form is a hand-over URL, compared exactly except for its query.

    No prefixes, patterns or resolved dots: another page of the shop may leak the code (RFC 9700, 2.1 and 4.1).
    """
    return "#" not in url and _with_path(url.partition("?")[0]) in handover_urls


def _with_path(url: str) -> str:
    """Add the path "/" to a URL without a path (RFC 3986, 6.2.3)."""
    return url if urlsplit(url).path else f"{url}/"
