"""`portal customer export` and `delete`."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from portal.domain.context import Context
from portal.storage.models import Contact
from tests.cli.conftest import Run, add_contact
from tests.cli.process import PATIENCE_SECONDS, PORTAL, environment


def add_phone_only(context: Context) -> str:
    """Create a customer who is known by a phone number only; return the reference number."""
    contact_id = add_contact(context, "nobody@example.com")
    with context.database.write() as connection:
        changed = update(Contact).where(Contact.c.id == contact_id).values(email=None, email_key=None)
        return connection.execute(
            changed.values(phone="+420 777123456", first_name="Petr").returning(Contact.c.cu_ref_no)
        ).scalar_one()


def count(context: Context) -> int:
    with context.database.read() as connection:
        return connection.execute(select(func.count()).select_from(Contact)).scalar_one()


def test_an_export_is_json_that_people_can_read(run: Run, context: Context) -> None:
    contact_id = add_contact(context, "jana@example.com", account=True)
    with context.database.write() as connection:
        connection.execute(update(Contact).where(Contact.c.id == contact_id).values(last_name="Nováková"))
    outcome = run("customer", "export", "Jana@Example.com")
    told = json.loads(outcome.out)
    assert (told["email"], told["lastName"]) == ("jana@example.com", "Nováková")
    assert told["account"] == {"createdAt": "2026-03-01T12:00:00Z", "passwordSetAt": "2026-03-01T12:00:00Z"}
    assert "Nováková" in outcome.out
    assert "$hash$" not in outcome.out


def test_an_export_holds_nothing_that_a_terminal_would_obey(run: Run, context: Context) -> None:
    add_contact(context, "jana@example.com")
    odd = "\x1b[2J\x9b2J\u2028\u202e\U000e0001"
    with context.database.write() as connection:
        connection.execute(text("UPDATE contact SET last_name = :odd"), {"odd": odd})
    out = run("customer", "export", "jana@example.com").out
    assert json.loads(out)["lastName"] == odd
    assert not any(character in out for character in odd if not character.isprintable())


def test_delete_says_what_was_removed(run: Run, context: Context) -> None:
    add_contact(context, "jana@example.com", account=True)
    add_contact(context, "petr@example.com")
    outcome = run("customer", "delete", "--yes", "jana@example.com")
    assert (outcome.status, outcome.err) == (0, "")
    heading, *counts = outcome.out.splitlines()
    assert heading == "jana@example.com is deleted. Deleted rows:"
    told = dict(line.rsplit(maxsplit=1) for line in counts)
    assert (told["Contacts"], told["Accounts"], told["Identities"]) == ("1", "1", "0")
    assert "jana@example.com" in run("customer", "show", "jana@example.com").complaint
    assert count(context) == 1


@pytest.mark.parametrize("command", [("show",), ("export",), ("delete", "--yes"), ("ban", "--reason", "r"), ("unban",)])
def test_who_has_no_address_is_named_by_reference_number(run: Run, context: Context, command: tuple[str, ...]) -> None:
    reference = add_phone_only(context)
    outcome = run("customer", *command, reference)
    assert outcome.status == 0
    assert reference in outcome.out


@pytest.mark.parametrize("command", [("show",), ("export",), ("delete", "--yes"), ("ban", "--reason", "r"), ("unban",)])
def test_an_unknown_customer_is_named(run: Run, context: Context, command: tuple[str, ...]) -> None:
    complaint = run("customer", *command, "Abcdefgh12345678").complaint
    assert complaint == "Error: There is no customer with the reference number Abcdefgh12345678."
    complaint = run("customer", *command, "nobody@example.com").complaint
    assert complaint == "Error: There is no customer with the address nobody@example.com."
    assert "Enter an email address" in run("customer", *command, "Abcdefgh1234567").complaint


@pytest.mark.parametrize("search", ["+420 777123456", "777123", "777 123 456", "420777", "Petr"])
def test_who_has_no_address_is_listed_last_and_found_by_phone(run: Run, context: Context, search: str) -> None:
    reference = add_phone_only(context)
    add_contact(context, "zoe@example.com")
    _, zoe, petr = run("customer", "list").out.splitlines()
    assert zoe.startswith("zoe@example.com")
    assert petr.split()[:3] == ["-", "+420", "777123456"]
    _, only = run("customer", "list", "--search", search).out.splitlines()
    assert reference in only


@pytest.mark.parametrize("search", ["_", "%", "\\", "' OR 1=1 --"])
def test_what_a_database_takes_for_a_sign_is_searched_as_it_stands(run: Run, context: Context, search: str) -> None:
    add_phone_only(context)
    assert len(run("customer", "list", "--search", search).out.splitlines()) == 1


@pytest.mark.parametrize(("answer", "left"), [("n", 1), ("y", 0)])
@pytest.mark.full
def test_at_a_terminal_delete_asks_first(instance: Path, context: Context, answer: str, left: int) -> None:
    add_contact(context, "jana@example.com")
    ours, theirs = os.openpty()
    os.write(ours, f"{answer}\n".encode())
    ended = subprocess.run(
        [PORTAL, "customer", "delete", "jana@example.com"],
        stdin=theirs,
        env=environment(instance),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    os.close(theirs)
    os.close(ours)
    assert "Delete jana@example.com and all data about them? [y/N]" in ended.stderr
    assert (ended.returncode == 0) == (left == 0)
    assert ("Nothing was deleted." in ended.stderr) == bool(left)
    assert count(context) == left
