"""Parse email addresses into the stored form and the canonical key, which is unique."""

import re
from dataclasses import dataclass
from functools import lru_cache

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.text import cleaned
from portal.storage.models import STRING_LENGTH

_BESIDE_AT = re.compile(r" ?@ ?")
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
"""Matches most local parts; the library checks all others."""
_MAX_LOCAL, _MAX_ADDRESS = 64, 254
"""Characters (RFC 5321, 4.5.3.1)."""
_GMAIL = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True)
class Address:
    """An email address in its two forms."""

    email: str
    """The normal form, in lower case with the domain in IDNA form: stored, shown and used as the recipient."""
    key: str
    """The canonical form, for uniqueness and rate limits. It omits what Gmail ignores; other providers have no rule."""

    def __str__(self) -> str:
        return self.email

    @property
    def local_part(self) -> str:
        """The part before the @."""
        return self.email.partition("@")[0]


def parse_email(text: str) -> Address:
    """Parse an email address; raises InvalidValue.

    The local part must be ASCII: with look-alikes such as a dotless i, one person could have two addresses, or two
    persons the same one.
    """
    text = _BESIDE_AT.sub("@", cleaned(text))
    if len(text) > STRING_LENGTH:
        raise InvalidValue(N_("This email address is too long. Check that it is only one address."))
    local, at, _ = text.rpartition("@")
    if at and not local.isascii():
        raise InvalidValue(
            N_("The part before the @ may hold only plain letters, digits and signs, without accents. Please check it.")
        )
    if "=?" in local:  # email clients would decode it into another address (RFC 2047)
        raise InvalidValue(N_("Enter an email address in the correct format, like name@example.com."))
    local, domain = _validated(text)
    return Address(email=f"{local}@{domain}", key=_canonical(local, domain))


def _validated(text: str) -> tuple[str, str]:
    """Return local part and ASCII domain of an address in lower case; raises InvalidValue."""
    local, _, domain = text.rpartition("@")
    if len(local) <= _MAX_LOCAL and _PLAIN_LOCAL.fullmatch(local):
        ascii_domain = _ascii_domain(domain)
        if len(local) + 1 + max(len(domain), len(ascii_domain)) <= _MAX_ADDRESS:
            return local.lower(), ascii_domain
    return _validated_by_library(text)


@lru_cache(maxsize=1024)
def _ascii_domain(domain: str) -> str:
    """Return a domain in ASCII; cached, since the customers of an import share few, and each takes 0.04 ms."""
    return _validated_by_library(f"a@{domain}")[1]


def _validated_by_library(text: str) -> tuple[str, str]:
    from email_validator import EmailNotValidError, validate_email  # compiles large patterns, which no start needs

    try:
        # test_environment accepts the reserved domain .test; every other special domain is rejected.
        found = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        raise InvalidValue(N_("Enter an email address in the correct format, like name@example.com.")) from None
    return found.local_part.lower(), found.ascii_domain.lower()


def _canonical(local: str, domain: str) -> str:
    if domain not in _GMAIL:
        return f"{local}@{domain}"
    # An address that is only a tag is no Gmail address; it is kept as it is, so that it equals no other.
    base = local.partition("+")[0].replace(".", "") or local
    return f"{base}@gmail.com"
