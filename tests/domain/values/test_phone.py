"""Phone numbers have one canonical form."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.values.invalid import InvalidValue
from portal.domain.values.phone import parse_phone


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("+420 777123456", "+420 777123456"),
        ("+420 777 123 456", "+420 777123456"),
        ("+420777123456", "+420 777123456"),
        ("+420-777-123-456", "+420 777123456"),
        ("00420 777 123 456", "+420 777123456"),
        ("  +420 777123456 ", "+420 777123456"),
        ("+1 (415) 555-2671", "+1 4155552671"),
        ("+39 06 1234 5678", "+39 0612345678"),
        ("\u202d+420 777 123 456\u202c", "+420 777123456"),
        ("+420\t777\u00a0123\u2009456", "+420 777123456"),
        ("(+420) 777 123 456", "+420 777123456"),
        ("(00420) 777 123 456", "+420 777123456"),
        ("\uff0b420 777 123 456", "+420 777123456"),
        ("+420 (0) 777 123 456", "+420 777123456"),
        ("+420 0777 123 456", "+420 777123456"),
        ("00420 (0)777 123 456", "+420 777123456"),
        ("+44 (0)20 7946 0958", "+44 2079460958"),
        ("+49 (0) 30 123456", "+49 30123456"),
        ("+36 (06) 1 123 4567", "+36 11234567"),
        ("+7 (8) 495 123 45 67", "+7 4951234567"),
        ("+1 (0) 202 555 0100", "+1 2025550100"),
        ("+39 (0)6 1234 5678", "+39 0612345678"),
        ("+225 (0) 01 23 45 67 89", "+225 0123456789"),
    ],
)
def test_a_phone_number_has_one_canonical_form(text: str, stored: str) -> None:
    assert parse_phone(text) == stored
    assert parse_phone(stored) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "777123456",
        "0777123456",
        "+420",
        "+420 1",
        "+999 123456789",
        "+420 777 123 456 ext. 5",
        "+420777123456;ext=5",
        "tel:+420777123456",
        "+420 777 123 456 789 012 345",
        "+420 777\n123456",
        "+420 (0) 123 456 789",
        "+420 00777 123 456",
        "+420 (0) 1",
        pytest.param("1" * 50_000, id="50000 digits"),
    ],
)
def test_a_phone_number_without_its_country_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="country code"):
        parse_phone(text)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
@pytest.mark.parametrize("kind", [phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE])
def test_a_number_with_a_trunk_prefix_can_be_dialled_in_every_country(region: str, kind: int) -> None:
    example = phonenumbers.example_number_for_type(region, kind)
    if example is None:
        return
    plain = f"+{example.country_code} {phonenumbers.national_significant_number(example)}"
    stored = parse_phone(plain.replace(" ", " (0) "))
    assert phonenumbers.is_valid_number(phonenumbers.parse(stored))
    assert stored in (plain, plain.replace(" ", " 0"))


@pytest.mark.parametrize(
    "text", ["+420 777 123 456 foo", "+420 abc 777 123 456", "+1 800 FLOWERS", "phone +420 777123456"]
)
def test_letters_in_a_phone_number_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="country code"):
        parse_phone(text)


@given(st.one_of(st.text(), st.text("+0123456789 ()-./;extA\u0663", max_size=45)))
def test_any_text_is_a_clean_phone_number_or_refused(text: str) -> None:
    try:
        stored = parse_phone(text)
    except InvalidValue:
        return
    assert stored.startswith("+")
    assert set(stored[1:]) <= set("0123456789 ")
    assert parse_phone(stored) == stored
