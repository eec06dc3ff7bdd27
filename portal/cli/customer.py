"""`portal customer`: the customers of an organisation."""

import os
import stat
import sys
from typing import IO

import click
from flask.cli import AppGroup

from portal.app import current_context
from portal.cli.arguments import Text, names_customer, with_organisation
from portal.cli.customer_file import read_customers
from portal.cli.errors import PlainCommand
from portal.cli.tables import echo_fields, echo_json, echo_table
from portal.domain.contact_details import ContactDetails, get_contact_details
from portal.domain.contacts import LOCKING_FAILURES
from portal.domain.geoip import GeoIPDatabase
from portal.domain.operations import customers
from portal.domain.operations.ban import ban as ban_customer
from portal.domain.operations.ban import unban as unban_customer
from portal.domain.operations.customers import LIST_LIMIT, CustomerRecord, CustomerSelector
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.end_sessions import end_sessions
from portal.domain.operations.export_customer import export_customer
from portal.domain.operations.import_customers import begin_import
from portal.domain.organisations import get_organisation
from portal.domain.values.user_agents import read_user_agent


@click.group(cls=AppGroup)
def customer() -> None:
    """The customers of an organisation."""


@customer.command("list", cls=PlainCommand)
@with_organisation
@click.option(
    "--search", type=Text(), metavar="TEXT", help="A part of the address, name, company, phone or reference number."
)
def list_(slug: str, search: str | None) -> None:
    """List customers by their addresses."""
    with current_context().database.without_time_limit().read() as connection:
        organisation = get_organisation(connection, slug)
        found = customers.list_customers(connection, organisation.id, search)
    echo_table(
        ("E-MAIL", "PHONE", "NAME", "STATE", "REFERENCE", "KNOWN SINCE"),
        (
            (record.email, record.phone, record.name, record.state, record.cu_ref_no, record.created_at)
            for record in found
        ),
    )
    if len(found) == LIST_LIMIT:
        click.echo(f"Only the first {LIST_LIMIT} are shown: narrow the list with --search.", err=True)


@customer.command(cls=PlainCommand)
@names_customer
def show(whom: CustomerSelector, slug: str) -> None:
    """Show what is known of one customer, and what happened last."""
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
        record = customers.get_customer(connection, organisation.id, whom)
        live = customers.count_live_identities(connection, context.rules, record.id, context.clock())
        details = get_contact_details(connection, record.id)
        events = customers.recent_events(connection, record.id)
        reason = customers.last_mail_set_aside(connection, record.id)
    set_aside = [("Last mail set aside", reason)] if reason else []
    echo_fields([*_fields(record), *set_aside, ("Live identities", live)])
    click.echo("\nDetails:")
    registered_from = _with_place(context.geoip, record.ip)
    echo_fields([*_detail_fields(details), ("Registered from", registered_from)])
    click.echo("\nLast events:")
    rows = ((event.occurred_at, event.kind, event.refusal, _with_place(context.geoip, event.ip)) for event in events)
    echo_table(("WHEN", "WHAT", "REFUSED", "FROM"), rows)


_LOCKED = f"locked after {LOCKING_FAILURES} wrong ones in a row; any link out of an email to the customer unlocks it"


def _fields(record: CustomerRecord) -> list[tuple[str, object]]:
    fields: list[tuple[str, object]] = [
        ("E-mail", record.email),
        ("Name", record.name),
        ("Reference number", record.cu_ref_no),
        ("State", record.state),
        ("Known since", record.created_at),
        ("Confirmed at", record.confirmed_at),
        ("Registered at", record.registered_at),
    ]
    if record.banned_at is not None:
        fields += [("Banned at", record.banned_at), ("Ban reason", record.ban_reason)]
    counts = (("Password", record.failed_passwords), ("Codes from emails", record.failed_codes))
    fields += [(what, _LOCKED) for what, count in counts if count >= LOCKING_FAILURES]
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


def _with_place(geoip: GeoIPDatabase, ip: str | None) -> str | None:
    place = geoip.locate(ip)
    return f"{ip}, {place}" if place else ip


@customer.command(cls=PlainCommand)
@names_customer
def sessions(whom: CustomerSelector, slug: str) -> None:
    """List where a customer is signed in, the session used last first."""
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
        record = customers.get_customer(connection, organisation.id, whom)
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
                _with_place(context.geoip, one.ip),
            )
            for one in found
        ),
    )


@customer.command("end-sessions", cls=PlainCommand)
@names_customer
def end_sessions_(whom: CustomerSelector, slug: str) -> None:
    """Sign a customer out everywhere, at a shop's server too."""
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
    count = end_sessions(context, organisation.id, whom)
    click.echo(f"Sessions ended: {count}.")


@customer.command(cls=PlainCommand)
@names_customer
def events(whom: CustomerSelector, slug: str) -> None:
    """List what happened to a customer, the newest first."""
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
        record = customers.get_customer(connection, organisation.id, whom)
        found = customers.recent_events(connection, record.id, LIST_LIMIT)
    echo_table(
        ("WHEN", "WHAT", "REFUSED", "WITH", "FROM"),
        (
            (
                event.occurred_at,
                event.kind,
                event.refusal,
                _browser(event.user_agent),
                _with_place(context.geoip, event.ip),
            )
            for event in found
        ),
    )
    if len(found) == LIST_LIMIT:
        click.echo(f"Only the last {LIST_LIMIT} are shown.", err=True)


def _browser(user_agent: str | None) -> str:
    found = read_user_agent(user_agent)
    return ", ".join(part for part in (found.name, found.system) if part)


@customer.command(cls=PlainCommand)
@names_customer
@click.option("--reason", type=Text(), metavar="R", required=True, help="Why; kept with the customer.")
def ban(whom: CustomerSelector, reason: str, slug: str) -> None:
    """Close a customer's account and end everything that is open.

    Every identity and every mailed link ends at once, and no pending registration can be confirmed any more.
    """
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
    ban_customer(context, organisation.id, whom, reason)
    click.echo(f"{whom} is banned.")


@customer.command(cls=PlainCommand)
@names_customer
def unban(whom: CustomerSelector, slug: str) -> None:
    """Open a banned account again; what the ban has ended stays ended."""
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
    was_banned = unban_customer(context, organisation.id, whom)
    click.echo(f"{whom} is {'no longer' if was_banned else 'not'} banned.")


@customer.command(cls=PlainCommand)
@names_customer
def export(whom: CustomerSelector, slug: str) -> None:
    """Print everything kept about one customer as JSON, but for secrets."""
    with current_context().database.read() as connection:
        organisation = get_organisation(connection, slug)
        record = customers.get_customer(connection, organisation.id, whom)
        everything = export_customer(connection, record.id)
    echo_json(everything)


@customer.command(cls=PlainCommand)
@names_customer
@click.option("--yes", is_flag=True, help="Do not ask. Without a terminal nobody is asked either.")
def delete(whom: CustomerSelector, yes: bool, slug: str) -> None:
    """Delete a customer and everything kept about them, for good.

    They are signed out everywhere, and no link that they were mailed works any more. It cannot be taken back.
    """
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
        customers.get_customer(connection, organisation.id, whom)
    if not yes and sys.stdin.isatty() and not click.confirm(f"Delete {whom} and everything kept about them?", err=True):
        raise click.ClickException("Nothing was deleted.")
    removed = delete_customer(context, organisation.id, whom)
    click.echo(f"{whom} is deleted. Removed were:")
    echo_fields((what.capitalize(), count) for what, count in removed.items())


@customer.command("import", cls=PlainCommand)
@click.argument("file", type=click.File("rb"))
@click.option("--skip-bad", is_flag=True, help="Leave bad rows out in place of importing nothing.")
@with_organisation
def import_(file: IO[bytes], skip_bad: bool, slug: str) -> None:
    """Bring in customers of another system.

    FILE is CSV with a header, or JSON Lines, in UTF-8, with the API's field names; "-" reads from standard input. Each
    bad row is reported by its line, and nothing is imported when there is one.
    """
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
    bad = 0
    with begin_import(context, organisation.id) as created:
        bar = click.progressbar(length=_size(file), label="Reading", file=sys.stderr, hidden=not _is_watched(file))
        with bar:
            for row in created.check(read_customers(file, bar.update)):
                bad += 1
                click.echo(f"{'' if bar.hidden else _CLEAR_LINE}Line {row.line}: {row.problem}", err=True)
        if bad and not skip_bad:
            raise click.ClickException(
                f"Nothing was imported: {bad} {'row is' if bad == 1 else 'rows are'} bad."
                " Repair them, or leave them out with --skip-bad."
            )
        imported = created.store()
    click.echo(f"Customers imported: {imported.customers}, with an account: {imported.accounts}, left out: {bad}.")


_CLEAR_LINE = "\r\x1b[K"


def _is_watched(file: IO[bytes]) -> bool:
    """Whether somebody sees how far a file is read, and it is known how long it is."""
    return sys.stderr.isatty() and _size(file) > 0


def _size(file: IO[bytes]) -> int:
    """The bytes of a file; 0 of what is none, such as a pipe."""
    found = os.fstat(file.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
