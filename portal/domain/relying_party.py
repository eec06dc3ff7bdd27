"""The relying party of an organisation's passkeys (WebAuthn): the host that they are made for, and work at."""

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from urllib.parse import urlsplit

from portal.domain.organisations import Organisation
from portal.domain.values.ip_addresses import read_ip


@dataclass(frozen=True)
class RelyingParty:
    """Where passkeys of an organisation work."""

    id: str
    """The host name."""
    name: str
    """The organisation's."""
    origin: str
    """The origin of its pages."""
    frame_ancestors: tuple[str, ...]
    """The origins of the sites that may show its pages in a frame."""


class NoPasskeys(Enum):
    """Why browsers allow no passkeys at the address of an organisation."""

    IP_ADDRESS = auto()
    """Its host is an IP address."""
    NOT_SECURE = auto()
    """Its pages are neither served over https nor at localhost."""


@lru_cache(maxsize=1000)
def find_relying_party(organisation: Organisation, base_url: str) -> RelyingParty | NoPasskeys:
    """Return where the passkeys of an organisation work, or why it has none.

    The host is the configured one, never that of a request.
    """
    origin = organisation.url(base_url)
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if read_ip(host) is not None:
        return NoPasskeys.IP_ADDRESS
    if parts.scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
        return NoPasskeys.NOT_SECURE
    return RelyingParty(host, organisation.name, origin, organisation.frame_ancestors)
