"""`portal backup` and `portal after-restore`: a copy of the embedded database, and putting one back."""

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from portal.app import current_context, settings_of
from portal.backup import back_up, settle_restored
from portal.cli.errors import PlainCommand
from portal.storage import schema


@click.command(cls=PlainCommand)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@with_appcontext
def backup(file: Path) -> None:
    """Copy the embedded database to a new FILE, while it serves.

    The copy is whole and of one moment. Keep the instance's secret.key too: without it, mailed links and cookies of the
    time end.
    """
    back_up(settings_of(current_app), file)
    click.echo(f"The database is copied to {file}.")


@click.command("after-restore", cls=PlainCommand)
@with_appcontext
def after_restore() -> None:
    """Make an old copy of the database safe to serve, after it was put back.

    Ends all links, codes and sign-ins that were open in the copy, and sets aside the mails that waited: what was used,
    ended or sent since the copy was made is not done a second time. Run it while nothing serves.
    """
    context = current_context()
    if problem := schema.current_problem(context.database):
        raise schema.DatabaseProblem(problem)
    with context.database.write() as connection:
        settled = settle_restored(connection, context.clock())
    click.echo(
        f"Ended {settled.links} links and {settled.identities} sign-ins, set {settled.mails} mails aside"
        " (`portal mail list`). Bans and API keys are those of the copy: look whether any was made or ended since."
    )
