"""`portal mail`: the mail queue, previews of emails, and a test email."""

from pathlib import Path
from typing import cast

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from portal.app import context_of, current_context, settings_of
from portal.cli.arguments import Email, Text, with_organisation
from portal.cli.errors import PlainCommand
from portal.cli.tables import echo_table
from portal.domain.operations import mail_queue
from portal.domain.operations.mail_delivery import DueMail
from portal.domain.organisations import get_organisation
from portal.domain.outbox import Notice
from portal.domain.values.email import Address
from portal.i18n import languages_of
from portal.mail.render import render
from portal.mail.sample import RECIPIENT, sample_mail
from portal.mail.transport import NotSent
from portal.mail.worker import transport_of

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


_with_locale = click.option(
    "--locale", type=Text(), metavar="LANGUAGE", help="The language, such as cs; by default that of the organisation."
)


@mail.command(cls=PlainCommand)
@click.argument("name", metavar="NAME", type=click.Choice([str(notice) for notice in Notice]))
@with_organisation
@_with_locale
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="The file to write.")
def preview(name: str, slug: str, locale: str | None, output: Path | None) -> None:
    """Write a sample email as an .eml file.

    Its data is made up, and its link and code do not work. Without --output it is written to standard output.
    """
    content = render(_app(), _sample(slug, Notice(name), locale)).as_bytes()
    if output is None:
        click.echo(content, nl=False)
    else:
        output.write_bytes(content)
        click.echo(f"{name} is in {output}.")


@mail.command(cls=PlainCommand)
@click.argument("address", type=Email())
@with_organisation
@_with_locale
def test(address: Address, slug: str, locale: str | None) -> None:
    """Send a test email at once, to try the mail settings.

    The exit status is 1 if the mail server refuses it.
    """
    app = _app()
    mail = _sample(slug, Notice.TEST, locale, address.email)
    transport = transport_of(app)
    try:
        transport.send(render(app, mail), mail.organisation.sender or settings_of(app).mail_default_sender)
    except NotSent as error:
        raise click.ClickException(f"The email was not sent: {error.reason}") from None
    finally:
        transport.close()
    if settings_of(app).mail_server is None:
        click.echo("MAIL_SERVER is not set: the email is in the local mailbox.")
    else:
        click.echo("The mail server took the email over. Check whether it arrives.")


def _app() -> Flask:
    return cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined] # noqa: SLF001 - Flask's documented way to the app itself


def _sample(slug: str, notice: Notice, locale: str | None, recipient: str = RECIPIENT) -> DueMail:
    app = _app()
    languages = languages_of(app)
    if locale is not None and languages.nearest(locale) is None:
        raise click.BadParameter(f"there is no {locale!r}, only {', '.join(languages.tags)}", param_hint="--locale")
    with context_of(app).database.read() as connection:
        organisation = get_organisation(connection, slug)
    return sample_mail(context_of(app), organisation, notice, locale, recipient)
