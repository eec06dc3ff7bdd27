import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from portal.domain import contacts, identities
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.identities import NewIdentity
from portal.domain.outbox import NewMail, Notice, queue
from portal.domain.tokens import Purpose
from portal.domain.use_cases.register import RegistrationRequest
from portal.domain.use_cases.register_by_api import confirm_by_api, register_by_api
from portal.domain.values.email import parse_email
from portal.storage.models import Contact, Link, OutboxMail
from tests.cli.conftest import Run, add_contact
from tests.mmdb import write_mmdb

NOW = datetime.now(UTC)


def test_list_shows_customers_by_address_in_aligned_columns(run: Run, context: Context) -> None:
    add_contact(context, "zoe@example.com")
    add_contact(context, "a.very.long.address@example.com", account=True)
    heading, first, second = run("customer", "list").out.splitlines()
    assert first.startswith("a.very.long.address@example.com")
    assert second.startswith("zoe@example.com")
    assert heading.index("STATE") == first.index("registered") == second.index("guest")


@pytest.mark.parametrize(
    "search", ["JANA", "nováková", "NOVÁKOVÁ", "skl", "Jana Nováková", "nováková jana", "žofie", "Žofie NOVÁK sklo"]
)
def test_list_searches_address_name_and_company(run: Run, context: Context, search: str) -> None:
    jana = add_contact(context, "jana@example.com")
    add_contact(context, "petr@example.com")
    with context.database.write() as connection:
        connection.execute(
            text(
                "UPDATE contact SET first_name = 'Žofie', last_name = 'Nováková', company_name = 'Sklo' WHERE id = :id"
            ),
            {"id": jana},
        )
    _, only = run("customer", "list", "--search", search).out.splitlines()
    assert only.startswith("jana@example.com")


@pytest.mark.parametrize(
    "search",
    [
        "\u202d+420 777 123 456\u202c",
        "+420\u00a0777",
        "\tjana@example.com\ufeff",
        "777-123-456",
        "(777) 123",
        "00420 777 123 456",
        "+420 (0) 777 123 456",
    ],
)
def test_a_search_is_read_however_it_was_pasted(run: Run, context: Context, search: str) -> None:
    jana = add_contact(context, "jana@example.com")
    add_contact(context, "petr@example.com")
    with context.database.write() as connection:
        connection.execute(text("UPDATE contact SET phone = '+420 777123456' WHERE id = :id"), {"id": jana})
    _, only = run("customer", "list", "--search", search).out.splitlines()
    assert only.startswith("jana@example.com")


def test_a_percent_sign_is_searched_as_it_stands(run: Run, context: Context) -> None:
    add_contact(context, "jana@example.com")
    assert len(run("customer", "list", "--search", "%").out.splitlines()) == 1


def test_an_unknown_organisation_is_named(run: Run, context: Context) -> None:
    assert "'elsewhere'" in run("customer", "list", "--organisation", "elsewhere").complaint


def test_each_command_means_the_customers_of_one_organisation(run: Run, context: Context) -> None:
    run("organisation", "add", "shop", "--name", "The Shop", "--hostname", "login.shop.example")
    add_contact(context, "jana@example.com")
    shop = ("--organisation", "shop")
    assert len(run("customer", "list", *shop).out.splitlines()) == 1
    for command in (("show",), ("ban", "--reason", "spam"), ("unban",)):
        assert "jana@example.com" in run("customer", *command, "jana@example.com", *shop).complaint
    assert "guest" in run("customer", "list").out


def test_a_reference_number_may_be_pasted_in_groups(run: Run, context: Context) -> None:
    add_contact(context, "jana@example.com")
    number = run("customer", "list").out.split()[-4]
    groups = "\u00a0".join(number[start : start + 4] for start in range(0, 16, 4))
    assert "jana@example.com" in run("customer", "show", f" {groups}").out


@pytest.mark.parametrize("command", [("show",), ("ban", "--reason", "spam"), ("unban",)])
def test_an_unknown_address_is_named(run: Run, context: Context, command: tuple[str, ...]) -> None:
    assert "nobody@example.com" in run("customer", *command, "nobody@example.com").complaint


@pytest.mark.parametrize(
    ("account", "confirmed", "state"),
    [(True, True, "registered"), (False, True, "guest"), (False, False, "unconfirmed")],
)
def test_show_prints_the_state_of_a_customer(
    run: Run, context: Context, account: bool, confirmed: bool, state: str
) -> None:
    add_contact(context, "jana@example.com", account=account, confirmed=confirmed)
    lines = run("customer", "show", "Jana@Example.com").out.splitlines()
    assert f"State             {state}" in lines


def test_a_closed_customer_is_shown_as_such_and_can_still_be_exported_banned_and_deleted(
    run: Run, context: Context
) -> None:
    contact_id = add_contact(context, "jana@example.com", account=True)
    with context.database.write() as connection:
        erase_at = datetime(2026, 3, 15, 12, tzinfo=UTC)
        connection.execute(update(Contact).where(Contact.c.id == contact_id).values(erase_at=erase_at))
    state = "closed, erased on 2026-03-15"
    assert state in run("customer", "list").out
    assert f"State             {state}" in run("customer", "show", "jana@example.com").out.splitlines()
    assert '"eraseAt": "2026-03-15T12:00:00Z"' in run("customer", "export", "jana@example.com").out
    assert run("customer", "ban", "jana@example.com", "--reason", "spam").status == 0
    assert state in run("customer", "list").out
    assert run("customer", "unban", "jana@example.com").status == 0
    assert run("customer", "delete", "--yes", "jana@example.com").status == 0
    with context.database.read() as connection:
        assert connection.execute(select(OutboxMail.c.notice, OutboxMail.c.contact_id)).all() == [("erased", None)]


def test_show_prints_why_the_last_mail_was_given_up_until_one_is_delivered(
    run: Run, context: Context, visitor: Visitor
) -> None:
    contact_id = add_contact(context, "jana@example.com")
    for state, reason, is_told in (("dead", "550 nobody here", True), ("queued", None, True), ("sent", None, False)):
        with context.database.write() as connection:
            mail = NewMail(Notice.PASSWORD_CHANGED, contact_id, "jana@example.com")
            queue(connection, visitor, mail, context.clock)
            newest = select(func.max(OutboxMail.c.id)).scalar_subquery()
            connection.execute(update(OutboxMail).where(OutboxMail.c.id == newest).values(state=state, reason=reason))
        assert ("Last email set aside  550 nobody here" in run("customer", "show", "jana@example.com").out) is is_told


@pytest.mark.parametrize(("count", "is_told"), [(99, False), (100, True)])
def test_show_prints_what_too_many_wrong_attempts_have_locked(
    run: Run, context: Context, count: int, is_told: bool
) -> None:
    contact_id = add_contact(context, "jana@example.com", account=True)
    for column, label in (("failed_passwords", "Password"), ("failed_codes", "Codes from emails")):
        with context.database.write() as connection:
            changed = update(Contact).where(Contact.c.id == contact_id)
            connection.execute(changed.values(**{"failed_passwords": 0, "failed_codes": 0, column: count}))
        lines = run("customer", "show", "jana@example.com").out.splitlines()
        locked = [line.partition("  ")[0] for line in lines if "locked after 100 failures in a row" in line]
        assert locked == ([label] if is_told else [])


def test_show_prints_every_registered_field(run: Run, context: Context) -> None:
    referrer = add_contact(context, "petr@example.com")
    with context.database.read() as connection:
        reference = connection.execute(select(Contact.c.cu_ref_no).where(Contact.c.id == referrer)).scalar_one()
    typed = {
        "name": "Jana Nováková, MBA",
        "first_name": "Jana",
        "last_name": "Nováková",
        "phone": "+420 777123456",
        "company_name": "Sklo a syn",
        "company_registration_number": "12345678",
        "tax_identification_number": "CZ12345678",
        "street_address": "Dlouhá 5",
        "city": "Kladno",
        "city_part": "Kročehlavy",
        "state_region": "Středočeský kraj",
        "postal_code": "272 01",
        "country": "CZ",
        "locale": "cs",
    }
    application = RegistrationRequest(
        parse_email("jana@example.com"),
        "seven green bottles hang",
        **typed,
        newsletter=True,
        groups=("b2b", "gold"),
        referral=reference,
    )
    visitor = Visitor(organisation_id=1, ip="192.0.2.1", via_api=True)
    register_by_api(context, visitor, application)
    with context.database.read() as connection:
        public_id = connection.execute(select(Link.c.public_id)).scalar_one()
    confirm_by_api(context, visitor, context.signer.token(Purpose.VERIFY, public_id))
    out = run("customer", "show", "jana@example.com").out
    shown = dict(re.split(r"  +", line, maxsplit=1) for line in out.splitlines() if "  " in line)
    assert set(typed.values()) <= set(shown.values())
    assert (shown["Name"], shown["First name"]) == ("Jana Nováková, MBA", "Jana")
    assert (shown["Newsletter"], shown["Groups"]) == ("yes", "b2b, gold")
    assert (shown["Referred by"], shown["Registered from"]) == (reference, "192.0.2.1")


def test_show_counts_open_sessions_only(run: Run, context: Context) -> None:
    contact_id = add_contact(context, "jana@example.com", account=True)
    visitor = Visitor(organisation_id=1, ip="192.0.2.1")
    with context.database.write() as connection:
        for age in (timedelta(0), timedelta(hours=1), timedelta(hours=3)):
            # The oldest identity has expired, unused.
            identities.start(connection, context.rules, visitor, NewIdentity(contact_id, remember=False), NOW - age)
        identities.start(connection, context.rules, visitor, NewIdentity(contact_id, remember=True), NOW)
    assert "Sessions          3" in run("customer", "show", "jana@example.com").out


def test_show_ends_with_the_last_ten_events(run: Run, context: Context) -> None:
    contact_id = add_contact(context, "jana@example.com")
    visitor = Visitor(organisation_id=1, ip="192.0.2.1")
    with context.database.write() as connection:
        for minute in range(12):
            moment = datetime(2026, 3, 1, 12, minute, tzinfo=UTC)
            record(connection, visitor, EventKind.SIGN_IN, contact_id=contact_id, now=moment)
    lines = run("customer", "show", "jana@example.com").out.splitlines()
    events = lines[lines.index("Last events:") + 2 :]
    assert len(events) == 10
    assert events[0].split() == ["2026-03-01", "12:11:00", "UTC", "sign_in", "-", "192.0.2.1"]


def test_show_prints_locations_from_the_geoip_database(
    run: Run, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact_id = add_contact(context, "jana@example.com")
    with context.database.write() as connection:
        connection.execute(update(Contact).values(ip="192.0.2.77"))
        for ip in ("192.0.2.1", "198.51.100.1"):
            visitor = Visitor(organisation_id=1, ip=ip)
            record(connection, visitor, EventKind.SIGN_IN, contact_id=contact_id, now=NOW)
    place = {"city": {"names": {"en": "Kladno"}}, "country": {"names": {"en": "Czechia"}}}
    path = write_mmdb(tmp_path / "places.mmdb", {"192.0.2.0/24": place})
    assert "Kladno" not in run("customer", "show", "jana@example.com").out
    monkeypatch.setenv("PORTAL_GEOIP_DATABASE", str(path))
    lines = run("customer", "show", "jana@example.com").out.splitlines()
    assert sum(line.endswith("192.0.2.77, Kladno, Czechia (192.0.2.0/24)") for line in lines) == 1
    assert lines[-2].endswith(" 198.51.100.1")
    assert lines[-1].endswith(" 192.0.2.1, Kladno, Czechia (192.0.2.0/24)")


def test_show_holds_no_secret(run: Run, context: Context) -> None:
    contact_id = add_contact(context, "jana@example.com", account=True)
    with context.database.read() as connection:
        contact = contacts.find_by_id(connection, contact_id)
        assert contact is not None
        salt = contact.password_salt
    out = run("customer", "show", "jana@example.com").out
    assert "$hash$" not in out
    assert salt.hex() not in out
    assert repr(salt) not in out


def test_an_escape_sequence_does_not_reach_the_terminal(run: Run, context: Context) -> None:
    contact_id = add_contact(context, "jana@example.com")
    with context.database.write() as connection:
        connection.execute(text("UPDATE contact SET last_name = :n WHERE id = :i"), {"n": "\x1b[2J", "i": contact_id})
    assert "\x1b" not in run("customer", "list").out
    assert "\x1b" not in run("customer", "show", "jana@example.com").out
