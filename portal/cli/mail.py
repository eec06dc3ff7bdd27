"""`portal mail`: the mail queue."""

import click
from flask.cli import AppGroup

from portal.app import current_context
from portal.cli.arguments import Text
from portal.cli.errors import PlainCommand
from portal.cli.tables import echo_table
from portal.domain.operations import mail_queue
from portal.domain.organisations import get_organisation

LIST_LIMIT = 100


@click.group(cls=AppGroup)
def mail() -> None:
    """List queued and sent emails, or retry one."""


@mail.command("list", cls=PlainCommand)
@click.option("--organisation", "slug", type=Text(), metavar="SLUG", help="Only the emails of one organisation.")
def list_(slug: str | None) -> None:
    """List the newest emails and their delivery.

    Sent means that the mail server accepted the email; whether it arrived is not known here.
    """
    with current_context().database.read() as connection:
        organisation_id = get_organisation(connection, slug).id if slug is not None else None
        found = mail_queue.list_mails(connection, organisation_id, LIST_LIMIT)
    echo_table(
        ("ID", "STATE", "EMAIL", "TO", "ATTEMPTS", "CREATED", "NEXT ATTEMPT", "REASON"),
        (
            (
                mail.id,
                mail.state,
                mail.notice,
                mail.recipient,
                mail.tries,
                mail.created_at,
                mail.due_at if mail.finished_at is None else None,
                mail.reason,
            )
            for mail in found
        ),
    )


@mail.command(cls=PlainCommand)
@click.argument("mail_id", type=click.IntRange(1, 2**31 - 1), metavar="ID")
def retry(mail_id: int) -> None:
    """Send a queued email, or one set aside, now."""
    context = current_context()
    with context.database.write() as connection:
        is_queued = mail_queue.requeue(connection, mail_id, context.clock)
    if not is_queued:
        raise click.ClickException(
            f"Email {mail_id}: not queued and not set aside; `portal mail list` shows which are."
        )
    click.echo(f"Email {mail_id} is due now.")
