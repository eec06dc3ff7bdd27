"""`portal backup` and `portal after-restore`: copy the SQLite database, and make a restored one safe."""

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
    """Copy the SQLite database to a new FILE.

    The copy is consistent even while the portal serves. Keep the instance's secret.key with it: without that file,
    the emailed links and cookies of the copy no longer work.
    """
    back_up(settings_of(current_app), file)
    click.echo(f"Copied the database to {file}.")


@click.command("after-restore", cls=PlainCommand)
@with_appcontext
def after_restore() -> None:
    """Make a restored database safe to serve.

    Ends all links, codes and sessions that were open in the copy, and sets its queued emails aside, so that nothing
    that was used, ended or sent since the copy was made works or is sent again. Run it while no portal serves.
    """
    context = current_context()
    if problem := schema.current_problem(context.database):
        raise schema.DatabaseProblem(problem)
    with context.database.write() as connection:
        settled = settle_restored(connection, context.clock())
    click.echo(
        f"Ended {settled.links} links and {settled.identities} sessions; set {settled.mails} emails aside"
        " (`portal mail list`). Bans and API keys are those of the copy: check what was changed since."
    )
