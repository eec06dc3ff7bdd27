"""E-mail addresses: as they are stored, and the canonical key under which each is unique."""

import re
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from portal.domain.messages import N_
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.text import cleaned
from portal.storage.models import STRING_LENGTH

_BESIDE_AT = re.compile(r" ?@ ?")
_GMAIL = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True)
class Address:
    """An email address in its two forms."""

    email: str
    """Normalised: lower-cased, the domain in its IDNA form. What is stored, shown and mailed to."""
    key: str
    """Canonical: under which it is unique and counted. Drops what Gmail ignores; no other provider's rules."""

    def __str__(self) -> str:
        return self.email

    @property
    def local_part(self) -> str:
        """What stands before the @."""
        return self.email.partition("@")[0]


def parse_email(text: str) -> Address:
    """Read an email address; raises InvalidValue.

    The local part is ASCII: look-alikes such as a dotless i would make two people of one, or one of two.
    """
    text = _BESIDE_AT.sub("@", cleaned(text))
    if len(text) > STRING_LENGTH:
        raise InvalidValue(N_("This email address is too long. Check that it is only one address."))
    local, at, _ = text.rpartition("@")
    if at and not local.isascii():
        raise InvalidValue(
            N_("The part before the @ may hold only plain letters, digits and signs, without accents. Please check it.")
        )
    if "=?" in local:  # mail programs would decode it into another address (RFC 2047)
        raise InvalidValue(N_("Enter an email address in the correct format, like name@example.com."))
    try:
        # test_environment accepts the reserved domain .test; every other special domain stays refused.
        found = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        raise InvalidValue(N_("Enter an email address in the correct format, like name@example.com.")) from None
    local, domain = found.local_part.lower(), found.ascii_domain.lower()
    return Address(email=f"{local}@{domain}", key=_canonical(local, domain))


def _canonical(local: str, domain: str) -> str:
    if domain not in _GMAIL:
        return f"{local}@{domain}"
    # An address that is nothing but a tag is no Gmail address; it keeps its form, so that it equals no other.
    base = local.partition("+")[0].replace(".", "") or local
    return f"{base}@gmail.com"
