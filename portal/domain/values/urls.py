"""Parse host names, origins and page URLs into a normal form, which is stored and then compared as it is.

Browsers use these values to decide which pages may frame the portal, so a text is rejected if a browser could parse
another host out of it than Python does.
"""

import re
from ipaddress import IPv4Address
from urllib.parse import quote, urlsplit

import idna

HOST_LENGTH = 253
"""RFC 1035, 2.3.4, without the final dot."""
_ORIGIN_LENGTH = len("https://:65535") + HOST_LENGTH
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_ORIGIN = re.compile(r"(https?)://([^/?#@:\\]+)(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
_KEPT_IN_URL = "/?#:@!$&'()*+,;=-._~%[]"
"""The characters of a URL that are not percent-encoded (RFC 3986)."""


def parse_hostname(text: str) -> str:
    """Return a host name in ASCII and lower case; raises ValueError, with a sentence for the operator.

    No port, no final dot, and no name that ends in a number: browsers parse 127.1 or 0x7f000001 as an IP address.
    """
    host = _host_name(text.strip())
    if host is None:
        raise ValueError(f"{_quoted(text)} is not a host name such as login.example.com, without scheme, port or path.")
    return host


def parse_origin(text: str) -> str:
    """Return an origin as browsers write it; raises ValueError, with a sentence for the operator.

    Only scheme, host and an optional port: no wildcard, and nothing that could start another entry of a content
    security policy.
    """
    text = text.strip()
    found = _ORIGIN.fullmatch(text) if len(text) <= _ORIGIN_LENGTH else None
    host = _host(found[2]) if found else None
    port = int(found[3]) if found and found[3] else None
    if found is None or host is None or port == 0 or (port or 1) > 65535:
        raise ValueError(
            f"{_quoted(text)} is not an origin such as https://shop.example.com: a scheme, a host and perhaps a port,"
            " nothing after them."
        )
    scheme = found[1].lower()
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{host}:{port}"


def parse_page_url(text: str, max_length: int, example: str) -> str:
    """Return the URL of a page (http or https) in ASCII.

    Raises ValueError, with a sentence for the operator that contains the example.
    """
    text = text.strip()
    try:
        if len(text) > max_length or not text.isprintable() or " " in text or "\\" in text:
            raise ValueError
        parts = urlsplit(text)
        origin = parse_origin(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        raise ValueError(f"{_quoted(text)} is not the address of a page such as {example}.") from None
    url = origin + quote(text[len(parts.scheme) + len("://") + len(parts.netloc) :], safe=_KEPT_IN_URL)
    if len(url) > max_length:
        raise ValueError(f"The address of a page is at most {max_length} characters long.")
    return url


def origin_of(url: str) -> str:
    """Return the origin of a URL in the form of parse_page_url."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _host(text: str) -> str | None:
    """Return a host name or an IPv4 address; a content security policy cannot contain IPv6 addresses."""
    try:
        return str(IPv4Address(text))
    except ValueError:
        return _host_name(text)


def _host_name(text: str) -> str | None:
    if len(text) > HOST_LENGTH:
        return None
    host = text.lower()
    if not host.isascii() or "xn--" in host:
        try:
            host = idna.encode(text, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    labels = host.split(".")
    if len(host) > HOST_LENGTH or not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        return None
    return host


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "…")
