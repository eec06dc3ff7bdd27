"""The fields of imported customers, and the problems of wrong ones."""

from datetime import UTC, datetime
from typing import Any

import pytest

from portal.domain.operations.import_fields import READERS, ImportedCustomer, InvalidImportRow, read_imported_customer
from portal.domain.values.email import parse_email

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BCRYPT = "$2b$12$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"


def read(**values: Any) -> ImportedCustomer:
    return read_imported_customer({"email": "ada@example.com", **values}, NOW)


def told_of(**values: Any) -> str:
    with pytest.raises(InvalidImportRow) as refusal:
        read(**values)
    return str(refusal.value)


def test_a_customer_needs_no_more_than_an_address_or_a_phone_number() -> None:
    assert read_imported_customer({"email": "Ada@Example.com"}, NOW) == ImportedCustomer(
        address=parse_email("ada@example.com")
    )
    assert read_imported_customer({"phone": "00420777123456"}, NOW) == ImportedCustomer(phone="+420 777123456")


def test_an_empty_text_is_none() -> None:
    empty: dict[str, Any] = dict.fromkeys(READERS, "") | {"newsletter": None, "groups": []}
    assert read_imported_customer({**empty, "email": "ada@example.com"}, NOW) == read()
    assert read_imported_customer({**dict.fromkeys(READERS), "email": "ada@example.com"}, NOW) == read()


def test_pasted_text_is_cleaned() -> None:
    pasted: dict[str, Any] = {"firstName": "\ufeffAda\u00a0Maria\t", "phone": "\u202d+420 (0) 777 123 456\u202c"}
    assert read(**pasted) == read(firstName="Ada Maria", phone="+420 777123456")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2019-05-06", datetime(2019, 5, 6, tzinfo=UTC)),
        ("2019-05-06 10:00", datetime(2019, 5, 6, 10, tzinfo=UTC)),
        ("2019-05-06T12:00:00+02:00", datetime(2019, 5, 6, 10, tzinfo=UTC)),
        ("2019-05-06T10:00:00.000Z", datetime(2019, 5, 6, 10, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, moment: datetime) -> None:
    assert read(createdAt=text).created_at == moment


def test_groups_are_named_once_each() -> None:
    assert read(groups=["vip", " b2b ", "", "vip"]).groups == ("vip", "b2b")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("email", "ada", "Enter an email address"),
        ("email", "ad\u00e1@example.com", "The part before the @"),
        ("email", 1, "This must be text."),
        ("phone", "12", "Enter the whole phone number with its country code"),
        ("country", "Czechia", "Enter the country as its two-letter code"),
        ("primaryLocale", "cs_CZ.UTF-8", "Enter the language as a tag"),
        ("customerRealIp", "300.1.1.1", "Enter an IPv4 or IPv6 address"),
        ("newsletter", "yes", "This must be true or false."),
        ("newsletter", 1, "This must be true or false."),
        ("groups", "vip", "This must be a list of names."),
        ("groups", [1], "This must be text."),
        ("groups", ["x" * 256], "Use at most 255 characters."),
        ("groups", list("x" * 51), "Use at most 50 groups."),
        ("referralId", "short", "A customer reference number has 16 letters and digits."),
        ("cuRefNo", "short", "A customer reference number has 16 letters and digits."),
        ("createdAt", "yesterday", "Write the time like 2026-03-01T12:00:00Z."),
        ("createdAt", "0001-01-01T00:00:00+14:00", "Write the time like 2026-03-01T12:00:00Z."),
        ("createdAt", "2026-03-01T12:00:01Z", "This is in the future."),
        ("city", "x" * 256, "Use at most 255 characters."),
        ("city", "Pra\x00ha", "This contains a control character, or bytes that are not UTF-8."),
        ("city", "Pra\nha", "This contains a control character"),
        ("city", "Praha\ud800", "This contains a control character"),
        ("city", "Plze\udcf2", "This contains a control character"),
        ("postalCode", 11000, "This must be text."),
        ("city", ["Praha"], "This must be text."),
        ("city", {}, "This must be text."),
        ("name", True, "This must be text."),
        ("passwordHash", "hunter2", "The portal does not support this password hash"),
        ("passwordHash", BCRYPT.replace("12", "31"), "Its bcrypt cost is not between 4 and 14."),
        ("password", "hunter2", "There is no such field."),
        ("first_name", "Ada", "There is no such field."),
    ],
)
def test_an_invalid_field_is_reported_by_name_without_its_value(name: str, value: Any, words: str) -> None:
    told = told_of(**{name: value})
    assert told.startswith(f"{name}: {words}")
    for part in ("hunter2", "CCCC", "Czechia", "yesterday", "short", "Pra", "Plze", "ada"):
        assert part not in told


def test_an_unknown_field_name_that_may_be_a_value_is_not_reported() -> None:
    assert told_of(**{BCRYPT: "x"}) == "A field: There is no such field."


def test_every_error_of_a_row_is_reported() -> None:
    told = told_of(phone="12", country="Q", newsletter=2)
    assert all(name in told for name in ("phone: ", "country: ", "newsletter: "))


def test_an_account_without_an_email_address_is_refused() -> None:
    told = told_of(email=None, phone="+420 777123456", passwordHash=BCRYPT)
    assert told == "passwordHash: A customer without an e-mail address cannot have an account."


def test_a_customer_without_email_address_and_phone_is_refused() -> None:
    assert told_of(email=" ", city="Praha") == "email: Give an e-mail address or a phone number."


def test_a_hash_is_stored_in_one_form_and_hidden_in_reprs() -> None:
    imported = read(passwordHash="bcrypt$" + BCRYPT)
    assert imported.password_hash == BCRYPT
    assert "CCCC" not in repr(imported)
