"""Where a customer may go on to when they are done here: addresses on the organisation's own sites, no others."""

from collections.abc import Collection

from portal.domain.addresses import InvalidAddress
from portal.domain.errors import N_
from portal.domain.models import STRING_LENGTH
from portal.domain.web_addresses import origin_of, parse_page_url


def parse_return_url(text: str, origins: Collection[str]) -> str:
    """An address on one of these origins, in its normal form; raises InvalidAddress.

    Origins are compared as a whole: another scheme, port, or host that only begins or ends alike is another site.
    """
    try:
        url = parse_page_url(text, STRING_LENGTH)
    except ValueError:
        raise InvalidAddress(N_("Enter the whole address of a page, like https://shop.example.com/welcome.")) from None
    if origin_of(url) not in origins:
        raise InvalidAddress(
            N_("This address is not on one of the return origins. The portal's operator can add its origin to them.")
        )
    return url
