"""E-mail addresses, phone numbers, countries, languages: one normal form each."""

import string

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.values.country import parse_country
from portal.domain.values.customer_reference import is_customer_reference
from portal.domain.values.email import parse_email
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.locale import parse_locale
from portal.domain.values.phone import parse_phone
from portal.storage.models import LOCALE_LENGTH

ATOM = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=12)
LOCAL = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
TAG = st.text("abcdefghijklmnopqrstuvwxyz0123456789", max_size=8)
DOMAIN = st.sampled_from(["example.com", "sub.example.org", "xn--bcher-kva.de", "b\u00fccher.de", "gmail.com"])


@st.composite
def other_case(draw: st.DrawFn, text: str) -> str:
    return "".join(draw(st.sampled_from([letter, letter.upper()])) for letter in text)


@st.composite
def gmail_spellings(draw: st.DrawFn, name: str) -> str:
    """One mailbox of Gmail in any of the ways that Gmail takes for the same."""
    dotted = "".join(letter + draw(st.sampled_from(["", "."])) for letter in name[:-1]) + name[-1]
    tag = draw(st.sampled_from(["", "+"])) and "+" + draw(TAG)
    return draw(other_case(f"{dotted}{tag}@{draw(st.sampled_from(['gmail.com', 'googlemail.com']))}"))


@given(LOCAL, DOMAIN, st.data())
def test_the_case_of_an_address_makes_no_difference(local: str, domain: str, data: st.DataObject) -> None:
    spelled = data.draw(other_case(f"{local}@{domain}"))
    assert parse_email(spelled) == parse_email(f"{local}@{domain}")


@given(LOCAL, DOMAIN)
def test_reading_an_address_twice_changes_nothing(local: str, domain: str) -> None:
    once = parse_email(f" {local.upper()}@{domain} ")
    assert parse_email(once.email) == once
    assert parse_email(once.key).key == once.key


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20), st.data())
def test_dots_tags_and_case_never_change_the_key_of_a_gmail_address(name: str, data: st.DataObject) -> None:
    assert parse_email(data.draw(gmail_spellings(name))).key == f"{name}@gmail.com"


@given(st.one_of(st.text(), st.builds("{}@{}".format, st.text(max_size=20), st.text(max_size=20))))
def test_any_text_is_a_clean_address_or_refused(text: str) -> None:
    try:
        address = parse_email(text)
    except InvalidValue:
        return
    assert address.email.isascii()
    assert address.email.isprintable()
    assert " " not in address.email
    assert len(address.email) <= 255
    assert address.email.count("@") == 1
    assert parse_email(address.email) == address


def test_other_providers_keep_their_dots_and_tags() -> None:
    assert parse_email("a.d.a+shop@example.com").key == "a.d.a+shop@example.com"
    assert parse_email("a.d.a+shop@notgmail.com").key == "a.d.a+shop@notgmail.com"
    assert parse_email("a.d.a+shop@mail.gmail.com").key == "a.d.a+shop@mail.gmail.com"


def test_mail_goes_to_the_address_as_typed_not_to_its_key() -> None:
    assert parse_email("A.da+Shop@GoogleMail.com").email == "a.da+shop@googlemail.com"


def test_a_gmail_address_that_is_nothing_but_a_tag_equals_no_other() -> None:
    assert parse_email("+a@gmail.com").key == "+a@gmail.com"
    assert parse_email("+b@gmail.com").key == "+b@gmail.com"


def test_the_local_part_is_what_stands_before_the_at() -> None:
    assert parse_email("Ada.Lovelace@example.com").local_part == "ada.lovelace"


@pytest.mark.parametrize(
    ("domain", "stored"),
    [
        ("b\u00fccher.de", "xn--bcher-kva.de"),
        ("B\u00dcCHER.DE", "xn--bcher-kva.de"),
        ("bu\u0308cher.de", "xn--bcher-kva.de"),  # combining diaeresis
        ("\uff45xample.com", "example.com"),  # full width
        ("example\u3002com", "example.com"),  # ideographic full stop
        ("\u212aayak.com", "kayak.com"),  # KELVIN SIGN
        ("\ufb01ts.com", "fits.com"),  # ligature
    ],
)
def test_a_domain_is_stored_in_its_ascii_form(domain: str, stored: str) -> None:
    assert parse_email(f"ada@{domain}").email == f"ada@{stored}"


def test_a_look_alike_of_gmail_is_not_gmail() -> None:
    assert parse_email("a.da@gma\u0131l.com").key == "a.da@xn--gmal-nza.com"


@pytest.mark.parametrize(
    "local",
    ["\u0131da", "mi\u212ae", "\ufb01na", "\uff41da", "ada\u0301", "\u00e1da", "\u0430da", "ad\u200da"],
    ids=["dotless i", "kelvin", "ligature", "full width", "combining", "accent", "cyrillic", "joiner"],
)
def test_a_look_alike_before_the_at_is_refused_in_plain_words(local: str) -> None:
    with pytest.raises(InvalidValue, match="without accents"):
        parse_email(f"{local}@example.com")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@localhost",
        "ada@example",
        "ada@[192.0.2.1]",
        '"ada"@example.com',
        '"a b"@example.com',
        '"a@b"@example.com',
        "Ada <ada@example.com>",
        "<ada@example.com>",
        "ada@example.com,eve@example.com",
        "ada@example.com;eve@example.com",
        "ada@example.com eve@example.com",
        "ada@eve@example.com",
        "ada..a@example.com",
        ".ada@example.com",
        "ada\x00@example.com",
        "ada@exam\x00ple.com",
        "ada@example.com\x00",
        "ada\r\nBcc: eve@example.com",
        "ada\n@example.com",
        "ada\x1b[31m@example.com",
        "ada\x85a@example.com",
        "ada@example.com\u2028eve@example.com",
        "ada@example.com%0abcc:eve@example.com",
        "\ud800@example.com",
        "ada@\ud800.com",
    ],
)
def test_what_is_not_one_plain_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_email(text)


@pytest.mark.parametrize(
    "pasted",
    [
        "\tada@example.com\u00a0",
        "\u202dada@example.com\u202c",
        "\ufeffada@example.com\u200b",
        "ada@\u200bexample.com",
        "ad\u00ada@ex\u00adample.com",
        "ada @example.com",
        "ada@\u00a0example.com",
    ],
)
def test_an_address_is_read_however_it_was_pasted(pasted: str) -> None:
    assert parse_email(pasted).email == "ada@example.com"


@pytest.mark.parametrize(
    "text",
    ["a" * 50_000, "a" * 49_988 + "@example.com", "a@" + "b." * 24_999 + "com", "@" * 50_000],
    ids=["letters", "local part", "domain", "signs"],
)
def test_50_000_characters_are_refused_by_their_length(text: str) -> None:
    with pytest.raises(InvalidValue, match="too long"):
        parse_email(text)


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
def test_a_phone_number_has_one_stored_form(text: str, stored: str) -> None:
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
def test_what_is_no_phone_number_with_its_country_code_is_refused(text: str) -> None:
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
def test_letters_are_never_taken_for_digits_of_a_phone_number(text: str) -> None:
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


@pytest.mark.parametrize("text", ["CZ", "cz", " Cz "])
def test_a_country_is_two_capitals(text: str) -> None:
    assert parse_country(text) == "CZ"


@pytest.mark.parametrize(
    "text", ["", "C", "CZE", "203", "UK", "EU", "XK", "XX", "ZZ", "\u010cR", "C Z", "Czechia", "\u0131t", "\u00df"]
)
def test_what_is_no_code_of_iso_3166_1_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="two-letter"):
        parse_country(text)


def test_every_country_of_iso_3166_1_is_known() -> None:
    letters = string.ascii_uppercase
    known = [first + second for first in letters for second in letters if is_country(first + second)]
    assert len(known) == 249


def is_country(text: str) -> bool:
    try:
        return parse_country(text) == text
    except InvalidValue:
        return False


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("cs", "cs"),
        ("CS", "cs"),
        (" en-gb ", "en-GB"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("SR-LATN", "sr-Latn"),
        ("es-419", "es-419"),
        ("de-ch-1996", "de-CH-1996"),
        ("sl-Rozaj-Biske", "sl-rozaj-biske"),
        ("zh-yue-HK", "zh-yue-HK"),
        ("en-us-u-CA-gregory", "en-US-u-ca-gregory"),
        ("en-a-Latn-x-CZ", "en-a-latn-x-cz"),
        ("gsw", "gsw"),
        ("DE-1A2B", "de-1a2b"),
    ],
)
def test_a_language_is_a_tag_in_its_usual_case(text: str, tag: str) -> None:
    assert parse_locale(text) == tag
    assert parse_locale(tag) == tag


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c",
        "cs_CZ",
        "cs-",
        "-cs",
        "cs--CZ",
        "cs-C",
        "czech",
        "english",
        "en-GB\n-x",
        "x-own",
        "c\u0161",
        "1",
        "en-u",
        "en" + "-variant1" * 4,
    ],
    ids=ascii,
)
def test_what_is_no_language_tag_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="en-GB"):
        parse_locale(text)


def test_50_000_letters_are_no_language() -> None:
    with pytest.raises(InvalidValue):
        parse_locale("e" * 50_000)


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[a-z]{2,3}(-[A-Za-z0-9]{1,9}){0,5}", fullmatch=True)))
def test_reading_a_language_twice_changes_nothing(text: str) -> None:
    try:
        tag = parse_locale(text)
    except InvalidValue:
        return
    assert len(tag) <= LOCALE_LENGTH
    assert parse_locale(tag) == tag


def test_a_customer_reference_is_16_alphanumerics() -> None:
    assert is_customer_reference("1cGIHvFoQDGLAbcA")
    for text in ("", "1cGIHvFoQDGLAbc", "1cGIHvFoQDGLAbcAA", "1cGIHvFoQDGLAbc-", "1cGIHvFoQDGLAbcA\n", "\u0661" * 16):
        assert not is_customer_reference(text)
