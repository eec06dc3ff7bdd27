"""`portal customer`: the customers of an organisation."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from flask.cli import AppGroup
from sqlalchemy import Connection

from portal.app import current_context
from portal.cli.arguments import Duration, Text, organisation_id, with_customer, with_organisation
from portal.cli.customer_fields import browser_of, detail_fields, record_fields, state_of, with_location, with_reason
from portal.cli.customer_import import import_customers
from portal.cli.errors import PlainCommand
from portal.cli.tables import echo_fields, echo_json, echo_table, timestamp
from portal.domain.contact_details import get_contact_details
from portal.domain.customer_data import export_customer
from portal.domain.operations import customers
from portal.domain.operations.ban import ban as ban_customer
from portal.domain.operations.ban import unban as unban_customer
from portal.domain.operations.customers import LIST_LIMIT, CustomerRecord, CustomerSelector
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.end_sessions import end_sessions
from portal.domain.operations.reset_two_step import reset_two_step
from portal.domain.organisations import get_organisation
from portal.domain.passkeys import list_passkeys
from portal.domain.second_step import find_status


@click.group(cls=AppGroup)
def customer() -> None:
    """Manage the customers of an organisation."""


customer.add_command(import_customers)


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
            (record.email, record.phone, record.name, state_of(record, now), record.cu_ref_no, record.created_at)
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
    echo_fields([*record_fields(record, context.clock()), *fields, ("Sessions", sessions)])
    click.echo("\nDetails:")
    registered_from = with_location(context.geoip, record.ip)
    echo_fields([*detail_fields(details), ("Registered from", registered_from)])
    click.echo("\nLast events:")
    rows = (
        (event.occurred_at, with_reason(event), event.refusal, with_location(context.geoip, event.ip))
        for event in events
    )
    echo_table(("TIME", "EVENT", "REFUSED", "FROM"), rows)


@customer.command(cls=PlainCommand)
@with_customer
def sessions(whom: CustomerSelector, slug: str) -> None:
    """List the sessions of a customer, the last used first."""
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
                browser_of(one.user_agent),
                with_location(context.geoip, one.ip),
            )
            for one in found
        ),
    )


@customer.command("end-sessions", cls=PlainCommand)
@with_customer
def end_sessions_(whom: CustomerSelector, slug: str) -> None:
    """Sign a customer out everywhere, at a shop's server too."""
    count = end_sessions(current_context(), organisation_id(slug), whom)
    click.echo(f"Sessions ended: {count}.")


@customer.command(cls=PlainCommand)
@with_customer
def events(whom: CustomerSelector, slug: str) -> None:
    """List the last events of a customer, the newest first."""
    context = current_context()
    with _customer_read(whom, slug) as (connection, record):
        found = customers.recent_events(connection, record.id, LIST_LIMIT)
    echo_table(
        ("WHEN", "WHAT", "REFUSED", "WITH", "FROM"),
        (
            (
                event.occurred_at,
                with_reason(event),
                event.refusal,
                browser_of(event.user_agent),
                with_location(context.geoip, event.ip),
            )
            for event in found
        ),
    )
    if len(found) == LIST_LIMIT:
        click.echo(f"Only the last {LIST_LIMIT} are shown.", err=True)


@customer.command(cls=PlainCommand)
@with_customer
@click.option(
    "--reason",
    type=Text(),
    metavar="TEXT",
    required=True,
    help="The reason, which is recorded; the email to the customer does not contain it.",
)
@click.option(
    "--until",
    "duration",
    type=Duration(),
    metavar="DURATION",
    help="How long the ban lasts, such as 30d; by default until it is lifted.",
)
def ban(whom: CustomerSelector, reason: str, duration: timedelta | None, slug: str) -> None:
    """Ban a customer and end all sessions and links.

    Every session and every emailed link ends at once, and a pending registration can no longer be confirmed. Without
    --until the ban lasts until `portal customer unban`.
    """
    until = ban_customer(current_context(), organisation_id(slug), whom, reason, duration)
    click.echo(f"{whom} is banned{f' until {timestamp(until)}' if until else ''}.")


@customer.command(cls=PlainCommand)
@with_customer
def unban(whom: CustomerSelector, slug: str) -> None:
    """Lift a ban.

    Sessions and links that the ban has ended stay ended.
    """
    was_banned = unban_customer(current_context(), organisation_id(slug), whom)
    click.echo(f"{whom} is {'no longer' if was_banned else 'not'} banned.")


@customer.command("reset-two-step", cls=PlainCommand)
@with_customer
@click.option(
    "--reason",
    type=Text(),
    metavar="TEXT",
    required=True,
    help="The reason, which is recorded and emailed to the customer.",
)
def reset_two_step_(whom: CustomerSelector, reason: str, slug: str) -> None:
    """Turn two-step verification off for a customer.

    For a customer who has lost the app and the recovery codes. Make sure first that it is the customer who asks. The
    customer gets an email with the reason.
    """
    was_on = reset_two_step(current_context(), organisation_id(slug), whom, reason)
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

    The customer is signed out everywhere, emailed links stop working, and an email confirms the deletion. This cannot
    be undone. An account that the customer has closed is deleted without waiting for its date.
    """
    with _customer_read(whom, slug):  # fails before the question if there is no such customer
        pass
    if not yes and sys.stdin.isatty() and not click.confirm(f"Delete {whom} and all data about them?", err=True):
        raise click.ClickException("Nothing was deleted.")
    deleted = delete_customer(current_context(), organisation_id(slug), whom)
    click.echo(f"{whom} is deleted. Deleted rows:")
    echo_fields((name.capitalize(), count) for name, count in deleted.items())
