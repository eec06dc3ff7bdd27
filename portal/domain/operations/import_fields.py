"""Parse the fields of imported customers: the API's fields, each validated and normalised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from portal.domain.contact_details import MAX_GROUPS, TEXT_FIELDS, ContactDetails, api_name
from portal.domain.passwords.legacy_hashes import InvalidHash, parse_legacy_hash
from portal.domain.values.country import parse_country
from portal.domain.values.customer_reference import is_customer_reference
from portal.domain.values.email import Address, parse_email
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.ip_addresses import parse_customer_ip
from portal.domain.values.locale import parse_locale
from portal.domain.values.phone import parse_phone
from portal.domain.values.text import cleaned, is_plain
from portal.storage.models import STRING_LENGTH

_MAX_NAME_LENGTH = 30
"""Of a field name, with room for a typo."""


@dataclass(frozen=True, kw_only=True)
class ImportedCustomer(ContactDetails):
    """A customer to import, identified by an email address or, without one, by a phone number."""

    address: Address | None = None
    ip: str | None = None
    cu_ref_no: str | None = None
    """If the other system assigned one."""
    password_hash: str | None = field(default=None, repr=False)
    created_at: datetime | None = None

    @property
    def key(self) -> str:
        """The key of the address, else the phone number, which contains no @."""
        key = self.address.key if self.address else self.phone
        assert key is not None  # noqa: S101 - read_imported_customer requires one of them
        return key


class InvalidImportRow(ValueError):
    """The problems of one row, in sentences that name the fields and quote no values."""


class _InvalidField(ValueError):
    """The problem of one field."""


def read_imported_customer(values: Mapping[str, object], now: datetime) -> ImportedCustomer:
    """Parse one customer from values by the API's field names; raises InvalidImportRow.

    Types are those of the API, without coercion; an empty text counts as missing.
    """
    read: dict[str, object] = {}
    problems: list[str] = []
    for name, value in values.items():
        if name not in READERS:
            problems.append(f"{shown(name)}: There is no such field.")
            continue
        column, reader = READERS[name]
        try:
            read[column] = reader(value)
        except (_InvalidField, InvalidValue, InvalidHash) as error:
            problems.append(f"{name}: {error}")
    customer = ImportedCustomer(**read)  # type: ignore[arg-type] # each reader returns what its field holds
    if not problems:
        problems += _contradictions(customer, now)
    if problems:
        raise InvalidImportRow(" ".join(problems))
    return customer


def shown(name: str) -> str:
    """Return a field's name for an error message, unless it may be a misplaced value, such as a secret."""
    return name if len(name) <= _MAX_NAME_LENGTH and name.replace("_", "").isalnum() and name.isascii() else "A field"


def _contradictions(customer: ImportedCustomer, now: datetime) -> list[str]:
    problems = []
    if customer.address is None and customer.phone is None:
        problems.append("email: Give an e-mail address or a phone number.")
    if customer.address is None and customer.password_hash is not None:
        problems.append("passwordHash: A customer without an e-mail address cannot have an account.")
    if customer.created_at is not None and customer.created_at > now:
        problems.append("createdAt: This is in the future.")
    return problems


def _text(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _InvalidField("This must be text.")
    text = cleaned(value)
    if len(text) > STRING_LENGTH:
        raise _InvalidField(f"Use at most {STRING_LENGTH} characters.")
    if not is_plain(text):
        raise _InvalidField("This contains a control character, or bytes that are not UTF-8.")
    return text or None


def _unless_empty(read: Callable[[str], object]) -> Callable[[object], object]:
    def reader(value: object) -> object:
        text = _text(value)
        return None if text is None else read(text)

    return reader


def _reference(text: str) -> str:
    if not is_customer_reference(text):
        raise _InvalidField("A customer reference number has 16 letters and digits.")
    return text


def _password_hash(text: str) -> str:
    return parse_legacy_hash(text).text


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _InvalidField("Write the time like 2026-03-01T12:00:00Z.") from None


def _truth(value: object) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _InvalidField("This must be true or false.")
    return value


def _groups(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _InvalidField("This must be a list of names.")
    if len(value) > MAX_GROUPS:
        raise _InvalidField(f"Use at most {MAX_GROUPS} groups.")
    names = [name for item in value if (name := _text(item))]
    return tuple(dict.fromkeys(names))


_NORMAL_FORMS = {"phone": parse_phone, "country": parse_country, "locale": parse_locale}

READERS: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "email": ("address", _unless_empty(parse_email)),
    **{api_name(name): (name, _unless_empty(_NORMAL_FORMS.get(name, str))) for name in TEXT_FIELDS},
    "newsletter": ("newsletter", _truth),
    "groups": ("groups", _groups),
    "referralId": ("referral", _unless_empty(_reference)),
    "customerRealIp": ("ip", _unless_empty(parse_customer_ip)),
    "cuRefNo": ("cu_ref_no", _unless_empty(_reference)),
    "passwordHash": ("password_hash", _unless_empty(_password_hash)),
    "createdAt": ("created_at", _unless_empty(_moment)),
}
"""The attribute and the parser of each field, by the API's field name."""
