"""`portal customer import`: all rows of a file, or none."""

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.domain.context import Context, Visitor
from portal.domain.use_cases import log_in
from portal.domain.values.email import parse_email
from portal.storage.models import Account, Contact, ContactGroup, Event
from tests.cli.conftest import Outcome, Run, add_contact
from tests.cli.process import PATIENCE_SECONDS, PORTAL, environment

PASSWORD = "violet harbour kettle 41"
DJANGO_HASH = (
    "pbkdf2_sha256$1000$Zq3uWx9sTb1k$"
    + base64.b64encode(hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"Zq3uWx9sTb1k", 1000)).decode()
)
Import = Callable[..., Outcome]


@pytest.fixture
def import_file(run: Run, context: Context, tmp_path: Path) -> Import:
    """Run `portal customer import` with a file of this content."""

    def import_content(content: str | bytes, *options: str) -> Outcome:
        path = tmp_path / "customers"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return run("customer", "import", str(path), *options)

    return import_content


def contacts(context: Context) -> list[Any]:
    with context.database.read() as connection:
        return list(connection.execute(select(Contact).order_by(Contact.c.id)).mappings())


def count(context: Context) -> int:
    with context.database.read() as connection:
        return connection.execute(select(func.count()).select_from(Contact)).scalar_one()


def test_a_row_becomes_a_customer_with_all_fields_in_their_normal_form(import_file: Import, context: Context) -> None:
    outcome = import_file(
        "email,name,firstName,lastName,phone,companyName,companyRegistrationNumber,taxIdentificationNumber,"
        "streetAddress,city,cityPart,stateRegion,postalCode,country,newsletter,primaryLocale,groups,referralId,"
        "customerRealIp,cuRefNo,createdAt\n"
        'Ada@Example.com,"Lovelace, Ada",Ada,Lovelace,00420777123456,Engines,05103118,CZ9609040727,Dlouhá 1,Praha,'
        "Staré Město,Hlavní město Praha,110 00,cz,yes,CS-cz,vip;b2b;vip,,2001:DB8::1,Abcdefgh12345678,"
        "2019-05-06T12:00:00+02:00\n"
    )
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == "Imported customers: 1, with an account: 0, left out: 0.\n"
    (row,) = contacts(context)
    assert {name: row[name] for name in row if name not in ("id", "password_salt", "confirmed_at")} == {
        "organisation_id": 1,
        "email": "ada@example.com",
        "email_key": "ada@example.com",
        "cu_ref_no": "Abcdefgh12345678",
        "name": "Lovelace, Ada",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "phone": "+420 777123456",
        "company_name": "Engines",
        "company_registration_number": "05103118",
        "tax_identification_number": "CZ9609040727",
        "street_address": "Dlouhá 1",
        "city": "Praha",
        "city_part": "Staré Město",
        "state_region": "Hlavní město Praha",
        "postal_code": "110 00",
        "country": "CZ",
        "newsletter": True,
        "locale": "cs-CZ",
        "ip": "2001:db8::1",
        "referred_by_id": None,
        "failed_passwords": 0,
        "failed_codes": 0,
        "proven_at": None,
        "banned_at": None,
        "banned_until": None,
        "erase_at": None,
        "ban_reason": None,
        "created_at": datetime(2019, 5, 6, 10, tzinfo=UTC),
    }
    assert len(row["password_salt"]) == 16
    assert row["confirmed_at"] is not None
    with context.database.read() as connection:
        assert sorted(connection.scalars(select(ContactGroup.c.name))) == ["b2b", "vip"]


def test_json_lines_say_the_same_in_their_own_types(import_file: Import, context: Context) -> None:
    rows = [
        {"email": "ada@example.com", "newsletter": True, "groups": ["vip; the best", ""], "postalCode": "110 00"},
        {"phone": "+420 777123456", "email": None, "newsletter": None, "groups": None, "city": ""},
    ]
    assert import_file("\n" + "\n\n".join(json.dumps(row) for row in rows)).status == 0
    ada, phone_only = contacts(context)
    assert (ada["newsletter"], ada["postal_code"]) == (True, "110 00")
    assert ada["created_at"] is not None
    assert (phone_only["email"], phone_only["email_key"], phone_only["phone"]) == (None, None, "+420 777123456")
    assert (phone_only["newsletter"], phone_only["city"]) == (False, None)
    with context.database.read() as connection:
        assert list(connection.scalars(select(ContactGroup.c.name))) == ["vip; the best"]


def test_a_customer_imported_with_a_hash_signs_in_with_the_old_password(import_file: Import, context: Context) -> None:
    outcome = import_file(f"email,passwordHash\nada@example.com,{DJANGO_HASH}\nben@example.com,\n")
    assert outcome.out == "Imported customers: 2, with an account: 1, left out: 0.\n"
    visitor = Visitor(organisation_id=1, ip="192.0.2.1")
    assert log_in.log_in(context, visitor, parse_email("ada@example.com"), PASSWORD, remember=False)
    with context.database.read() as connection:
        assert connection.execute(select(Account.c.password_hash)).scalar_one().startswith("$argon2id$")


def test_a_customer_imported_without_a_hash_is_a_guest_and_never_deleted(import_file: Import, run: Run) -> None:
    import_file("email\nada@example.com\n")
    assert "State             guest" in run("customer", "show", "ada@example.com").out


def test_another_organisations_customer_is_neither_known_nor_a_referrer(import_file: Import, run: Run) -> None:
    run("organisation", "add", "second", "--name", "Second")
    content = "email,phone,cuRefNo\nada@example.com,,Abcdefgh12345678\n,+420 777123456,\n"
    assert import_file(content).status == 0
    again = content.replace("Abcdefgh12345678", "")
    assert import_file(again, "--organisation", "second").status == 0
    assert import_file("email,referralId\nben@example.com,Abcdefgh12345678\n", "--organisation", "second").status == 0
    taken = import_file("email,cuRefNo\ncyd@example.com,Abcdefgh12345678\n", "--organisation", "second")
    assert "Line 2: cuRefNo: Another customer has this number already." in taken.err


def test_a_bad_row_is_reported_by_line_and_field_and_nothing_is_imported(import_file: Import, context: Context) -> None:
    outcome = import_file(f"email,phone,passwordHash\nada@example.com,,\nben@example.com,12,hunter2\n,,{DJANGO_HASH}\n")
    first, second, summary = outcome.err.splitlines()
    assert first.startswith("Line 3: phone: Enter the whole phone number with its country code")
    assert "passwordHash: The portal does not support this password hash" in first
    assert second == "Line 4: email: Give an e-mail address or a phone number. passwordHash: A customer without" + (
        " an e-mail address cannot have an account."
    )
    assert summary == "Error: Nothing was imported: 2 rows are bad; correct them, or leave them out with --skip-bad."
    assert (outcome.status, outcome.out, count(context)) == (1, "", 0)
    assert "hunter2" not in outcome.err


def test_bad_rows_are_skipped_on_request(import_file: Import, context: Context) -> None:
    outcome = import_file("email\nada@example.com\nben\ncyd@example.com\nada@example.com\n", "--skip-bad")
    assert [line.split(":")[0] for line in outcome.err.splitlines()] == ["Line 3", "Line 5"]
    assert outcome.out == "Imported customers: 2, with an account: 0, left out: 2.\n"
    assert outcome.status == 0
    assert [row["email"] for row in contacts(context)] == ["ada@example.com", "cyd@example.com"]


def test_existing_customers_are_not_changed(import_file: Import, run: Run, context: Context) -> None:
    add_contact(context, "a.d.a@gmail.com")
    import_file("phone\n+420 777123456\n")
    outcome = import_file(
        "email,phone,city\nADA+shop@googlemail.com,,Praha\n,+420777123456,Praha\nben@example.com,+420 777123456,\n",
        "--skip-bad",
    )
    assert outcome.err.splitlines() == [
        "Line 2: email: This customer exists already.",
        "Line 3: phone: This customer exists already.",
    ]
    assert [row["city"] for row in contacts(context)] == [None, None, None]


def test_a_duplicate_customer_in_a_file_is_reported_by_line(import_file: Import, context: Context) -> None:
    many = "".join(f"customer{number}@example.com,,\n" for number in range(1500))  # so that there are several batches
    outcome = import_file(
        "email,phone,cuRefNo\nada@example.com,,Abcdefgh12345678\nAda@example.com,,\n"
        + many
        + "ada@EXAMPLE.com,,\n,+420 777123456,\n,00420 777 123 456,\nben@example.com,,Abcdefgh12345678\n"
    )
    assert outcome.err.splitlines()[:-1] == [
        "Line 3: email: Line 2 has the same customer.",
        "Line 1504: email: Line 2 has the same customer.",
        "Line 1506: phone: Line 1505 has the same customer.",
        "Line 1507: cuRefNo: Line 2 has the same number.",
    ]
    assert count(context) == 0


def test_the_same_file_a_second_time_changes_nothing(import_file: Import, context: Context) -> None:
    content = "email,phone\nada@example.com,\n,+420 777123456\n"
    assert import_file(content).status == 0
    again = import_file(content)
    assert again.status == 1
    assert "2 rows are bad" in again.err
    assert count(context) == 2


def test_a_reference_number_in_use_is_refused(import_file: Import) -> None:
    import_file("email,cuRefNo\nada@example.com,Abcdefgh12345678\n")
    told = import_file("email,cuRefNo\nben@example.com,Abcdefgh12345678\n").err
    assert told.startswith("Line 2: cuRefNo: Another customer has this number already.\n")


def test_a_line_that_is_not_utf_8_is_a_bad_row(import_file: Import, context: Context) -> None:
    content = b"email,city\nada@example.com,Praha\nben@example.com,Plze\xf2\n"
    assert import_file(content).err.startswith("Line 3: city: This contains a control character, or bytes that are not")
    assert import_file(content, "--skip-bad").status == 0
    assert import_file(b'{"email": "cyd@example.com", "city": "Plze\xf2"}\n').err.startswith(
        "Line 1: city: This contains"
    )
    assert count(context) == 1


@pytest.mark.parametrize("content", [b"", b"email,shoeSize\n", b'email,city\nada@example.com,"Praha\n'])
def test_a_file_that_cannot_be_read_to_its_end_is_not_imported(
    import_file: Import, context: Context, content: bytes
) -> None:
    assert import_file(content).complaint.startswith("Error: Nothing was imported: ")
    assert import_file(content, "--skip-bad").complaint.startswith("Error: Nothing was imported: ")
    assert count(context) == 0


def test_a_header_alone_is_no_fault(import_file: Import) -> None:
    assert import_file("email,city\n").out == "Imported customers: 0, with an account: 0, left out: 0.\n"


def test_an_unknown_organisation_or_file_is_named(import_file: Import, run: Run) -> None:
    assert "'elsewhere'" in import_file("email\n", "--organisation", "elsewhere").complaint
    assert "nowhere.csv" in run("customer", "import", "nowhere.csv").complaint


def test_an_import_is_one_event_without_personal_data(import_file: Import, context: Context) -> None:
    import_file("email\nada@example.com\nben@example.com\n")
    with context.database.read() as connection:
        assert connection.execute(select(Event.c.kind, Event.c.contact_id)).all() == [("import", None)]


@pytest.mark.full
def test_standard_input_is_read_as_a_file_is(context: Context, instance: Path) -> None:
    ended = subprocess.run(
        [PORTAL, "customer", "import", "-"],
        input="email\nada@example.com\n",
        env=environment(instance),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert count(context) == 1


@pytest.mark.full
def test_a_terminal_shows_how_far_the_file_is_read(context: Context, instance: Path, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email\nada@example.com\nben\n")
    ours, theirs = os.openpty()
    ended = subprocess.run(
        [PORTAL, "customer", "import", "--skip-bad", path],
        env=environment(instance),
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    os.close(theirs)
    told = os.read(ours, 10_000).decode()
    os.close(ours)
    assert ended.returncode == 0
    assert "Reading  [####" in told
    assert "100%" in told
    assert "\r\x1b[KLine 3: email: Enter an email address" in told
