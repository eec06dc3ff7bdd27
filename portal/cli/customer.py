"""`portal customer`: the customers of an organisation."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import IO

import click
from flask.cli import AppGroup
from sqlalchemy import Connection

from portal.app import current_context
from portal.cli.arguments import Duration, Text, with_customer, with_organisation
from portal.cli.customer_file import read_customers
from portal.cli.errors import PlainCommand
from portal.cli.tables import echo_fields, echo_json, echo_table, timestamp
from portal.domain.contact_details import ContactDetails, get_contact_details
from portal.domain.contacts import LOCKING_FAILURES
from portal.domain.customer_data import export_customer
from portal.domain.geoip import GeoIPDatabase
from portal.domain.operations import customers
from portal.domain.operations.ban import ban as ban_customer
from portal.domain.operations.ban import unban as unban_customer
from portal.domain.operations.customers import LIST_LIMIT, CustomerRecord, CustomerSelector, PastEvent, State
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.end_sessions import end_sessions
from portal.domain.operations.import_customers import begin_import
from portal.domain.operations.reset_two_step import reset_two_step
from portal.domain.organisations import get_organisation
from portal.domain.passkeys import list_passkeys
from portal.domain.second_step import find_status
from portal.domain.values.user_agents import read_user_agent


@click.group(cls=AppGroup)
def customer() -> None:
    """Manage the customers of an organisation."""


def _organisation_id(slug: str) -> int:
    with current_context().database.read() as connection:
        return get_organisation(connection, slug).id


@contextmanager
def _customer_read(whom: CustomerSelector, slug: str) -> Iterator[tuple[Connection, CustomerRecord]]:
    """Open a read transaction with a customer of an organisation; raises UnknownCustomer."""
    with current_context().database.read() as connection:
        organisation = get_organisation(connection, slug)
        yield connection, customers.get_customer(connection, organisation.id, whom)


@customer.command("list", cls=PlainCommand)
@with_organisation
@click.option(
    "--search",
    type=Text(),
    metavar="TEXT",
    help="A part of the address, name, company, phone number or reference number.",
)
def list_(slug: str, search: str | None) -> None:
    """List the customers, ordered by address."""
    context = current_context()
    now = context.clock()
    with context.database.without_time_limit().read() as connection:
        organisation = get_organisation(connection, slug)
        found = customers.list_customers(connection, organisation.id, search)
    echo_table(
        ("EMAIL", "PHONE", "NAME", "STATE", "REFERENCE", "KNOWN SINCE"),
        (
            (record.email, record.phone, record.name, _state(record, now), record.cu_ref_no, record.created_at)
            for record in found
        ),
    )
    if len(found) == LIST_LIMIT:
        click.echo(f"Only the first {LIST_LIMIT} customers are shown; narrow the list with --search.", err=True)


@customer.command(cls=PlainCommand)
@with_customer
def show(whom: CustomerSelector, slug: str) -> None:
    """Show a customer's details and last events."""
    context = current_context()
    with _customer_read(whom, slug) as (connection, record):
        sessions = customers.count_live_identities(connection, context.rules, record.id, context.clock())
        details = get_contact_details(connection, record.id)
        events = customers.recent_events(connection, record.id)
        reason = customers.last_mail_failure(connection, record.id)
        second_step = find_status(connection, record.id)
        passkeys = list_passkeys(connection, record.id)
    fields: list[tuple[str, object]] = [("Last email set aside", reason)] if reason else []
    if second_step:
        fields += [("Second step since", second_step.since), ("Recovery codes left", second_step.codes_left)]
    if passkeys:
        fields.append(("Passkeys", len(passkeys)))
    echo_fields([*_fields(record, context.clock()), *fields, ("Sessions", sessions)])
    click.echo("\nDetails:")
    registered_from = _with_location(context.geoip, record.ip)
    echo_fields([*_detail_fields(details), ("Registered from", registered_from)])
    click.echo("\nLast events:")
    rows = (
        (event.occurred_at, _with_reason(event), event.refusal, _with_location(context.geoip, event.ip))
        for event in events
    )
    echo_table(("TIME", "EVENT", "REFUSED", "FROM"), rows)


_UNLOCKED = "any link emailed to the customer unlocks it"
_LOCKED = f"locked after {LOCKING_FAILURES} failures in a row"


def _state(record: CustomerRecord, now: datetime) -> str:
    state = record.state(now)
    if record.erase_at is not None:
        return f"{state}, erased on {record.erase_at.astimezone(UTC):%Y-%m-%d}"
    return f"{state} until {timestamp(record.banned_until)}" if state is State.BANNED and record.banned_until else state


def _fields(record: CustomerRecord, now: datetime) -> list[tuple[str, object]]:
    fields: list[tuple[str, object]] = [
        ("Email", record.email),
        ("Name", record.name),
        ("Reference number", record.cu_ref_no),
        ("State", _state(record, now)),
        ("Known since", record.created_at),
        ("Confirmed at", record.confirmed_at),
        ("Registered at", record.registered_at),
    ]
    if record.state(now) is State.BANNED:
        fields += [("Banned at", record.banned_at), ("Ban reason", record.ban_reason)]
    if record.failed_passwords >= LOCKING_FAILURES:
        fields.append(("Password", f'{_LOCKED}, or by "This wasn\'t me" in an email; {_UNLOCKED}'))
    if record.failed_codes >= LOCKING_FAILURES:
        fields.append(("Codes from emails", f"{_LOCKED}; {_UNLOCKED}"))
    return fields


def _detail_fields(details: ContactDetails) -> list[tuple[str, object]]:
    return [
        ("First name", details.first_name),
        ("Last name", details.last_name),
        ("Phone", details.phone),
        ("Company", details.company_name),
        ("Company registration number", details.company_registration_number),
        ("Tax identification number", details.tax_identification_number),
        ("Street", details.street_address),
        ("City", details.city),
        ("Part of the city", details.city_part),
        ("State or region", details.state_region),
        ("Postal code", details.postal_code),
        ("Country", details.country),
        ("Language", details.locale),
        ("Newsletter", "yes" if details.newsletter else "no"),
        ("Groups", ", ".join(details.groups)),
        ("Referred by", details.referral),
    ]


def _with_location(geoip: GeoIPDatabase, ip: str | None) -> str | None:
    location = geoip.locate(ip)
    return f"{ip}, {location}" if location else ip


@customer.command(cls=PlainCommand)
@with_customer
def sessions(whom: CustomerSelector, slug: str) -> None:
    """List where a customer is signed in, the session used last first."""
    context = current_context()
    with _customer_read(whom, slug) as (connection, record):
        found = customers.list_live_identities(connection, context.rules, record.id, context.clock())
    echo_table(
        ("SIGNED IN", "LAST USED", "WHERE", "REMEMBERED", "WITH", "FROM"),
        (
            (
                one.created_at,
                one.seen_at,
                one.channel,
                "yes" if one.remember else "no",
                _browser(one.user_agent),
                _with_location(context.geoip, one.ip),
            )
            for one in found
        ),
    )


@customer.command("end-sessions", cls=PlainCommand)
@with_customer
def end_sessions_(whom: CustomerSelector, slug: str) -> None:
    """Sign a customer out everywhere, at a shop's server too."""
    count = end_sessions(current_context(), _organisation_id(slug), whom)
    click.echo(f"Sessions ended: {count}.")


@customer.command(cls=PlainCommand)
@with_customer
def events(whom: CustomerSelector, slug: str) -> None:
    """List what happened to a customer, the newest first."""
    context = current_context()
    with _customer_read(whom, slug) as (connection, record):
        found = customers.recent_events(connection, record.id, LIST_LIMIT)
    echo_table(
        ("WHEN", "WHAT", "REFUSED", "WITH", "FROM"),
        (
            (
                event.occurred_at,
                _with_reason(event),
                event.refusal,
                _browser(event.user_agent),
                _with_location(context.geoip, event.ip),
            )
            for event in found
        ),
    )
    if len(found) == LIST_LIMIT:
        click.echo(f"Only the last {LIST_LIMIT} are shown.", err=True)


def _with_reason(event: PastEvent) -> str:
    return f"{event.kind}: {event.reason}" if event.reason else event.kind


def _browser(user_agent: str | None) -> str:
    return ", ".join(part for part in read_user_agent(user_agent) if part)


@customer.command(cls=PlainCommand)
@with_customer
@click.option("--reason", type=Text(), metavar="R", required=True, help="The reason, stored with the customer.")
@click.option(
    "--until", "duration", type=Duration(), metavar="DURATION", help="After which time the ban ends by itself: 30d."
)
def ban(whom: CustomerSelector, reason: str, duration: timedelta | None, slug: str) -> None:
    """Ban a customer and end all sessions and links.

    Every session and every emailed link ends at once, and a pending registration can no longer be confirmed. Without
    --until the ban lasts until `portal customer unban`.
    """
    until = ban_customer(current_context(), _organisation_id(slug), whom, reason, duration)
    click.echo(f"{whom} is banned{f' until {timestamp(until)}' if until else ''}.")


@customer.command(cls=PlainCommand)
@with_customer
def unban(whom: CustomerSelector, slug: str) -> None:
    """Lift a ban.

    Sessions and links that the ban has ended stay ended.
    """
    was_banned = unban_customer(current_context(), _organisation_id(slug), whom)
    click.echo(f"{whom} is {'no longer' if was_banned else 'not'} banned.")


@customer.command("reset-two-step", cls=PlainCommand)
@with_customer
@click.option(
    "--reason", type=Text(), metavar="R", required=True, help="The reason, which is recorded and told to the customer."
)
def reset_two_step_(whom: CustomerSelector, reason: str, slug: str) -> None:
    """Turn two-step verification off for a customer who has lost the app and the recovery codes.

    The customer gets an email. Make sure first that it is the customer who asks.
    """
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
    was_on = reset_two_step(context, organisation.id, whom, reason)
    click.echo(f"{whom} {'signs in without a second step now' if was_on else 'has no two-step verification'}.")


@customer.command(cls=PlainCommand)
@with_customer
def export(whom: CustomerSelector, slug: str) -> None:
    """Print all data about a customer as JSON.

    Password hashes and other secrets are left out.
    """
    with _customer_read(whom, slug) as (connection, record):
        exported = export_customer(connection, record.id)
    echo_json(exported)


@customer.command(cls=PlainCommand)
@with_customer
@click.option("--yes", is_flag=True, help="Do not ask for confirmation, which is asked for at a terminal only.")
def delete(whom: CustomerSelector, yes: bool, slug: str) -> None:
    """Delete a customer and all data about them.

    The customer is signed out everywhere, emailed links stop working, and an email says so. This cannot be undone. A
    customer who has closed the account need not wait for it.
    """
    with _customer_read(whom, slug):  # fails before the question if there is no such customer
        pass
    if not yes and sys.stdin.isatty() and not click.confirm(f"Delete {whom} and all data about them?", err=True):
        raise click.ClickException("Nothing was deleted.")
    deleted = delete_customer(current_context(), _organisation_id(slug), whom)
    click.echo(f"{whom} is deleted. Deleted rows:")
    echo_fields((name.capitalize(), count) for name, count in deleted.items())


@customer.command("import", cls=PlainCommand)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--skip-bad", is_flag=True, help="Import the other rows when some are bad; by default nothing is imported."
)
@with_organisation
def import_(file: IO[bytes], skip_bad: bool, slug: str) -> None:
    """Import customers from CSV or JSON Lines.

    FILE is CSV with a header, or JSON Lines, in UTF-8, with the API's field names; "-" reads standard input. Each bad
    row is reported with its line number, and nothing is imported when there is one.
    """
    bad = 0
    with begin_import(current_context(), _organisation_id(slug)) as created:
        bar = click.progressbar(length=_size(file), label="Reading", file=sys.stderr, hidden=not _shows_progress(file))
        with bar:
            for row in created.check(read_customers(file, bar.update)):
                bad += 1
                click.echo(f"{'' if bar.hidden else _CLEAR_LINE}Line {row.line}: {row.problem}", err=True)
        if bad and not skip_bad:
            raise click.ClickException(
                f"Nothing was imported: {bad} {'row is' if bad == 1 else 'rows are'} bad;"
                " correct them, or leave them out with --skip-bad."
            )
        imported = created.store()
    click.echo(f"Imported customers: {imported.customers}, with an account: {imported.accounts}, left out: {bad}.")


_CLEAR_LINE = "\r\x1b[K"


def _shows_progress(file: IO[bytes]) -> bool:
    """Return whether there is a terminal for a progress bar, and the file's size is known."""
    return sys.stderr.isatty() and _size(file) > 0


def _size(file: IO[bytes]) -> int:
    """Return the size of a regular file in bytes; 0 for a pipe and the like."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
