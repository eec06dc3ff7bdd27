"""`portal db`: the schema of the database."""

import click
from flask import current_app
from flask.cli import AppGroup

from portal.app import current_context, settings_of
from portal.cli.errors import PlainCommand
from portal.instance_dir import upgrade_database
from portal.storage import schema


@click.group(cls=AppGroup)
def db() -> None:
    """The schema of the database."""


@db.command(cls=PlainCommand)
def upgrade() -> None:
    """Bring the database to the code's schema.

    Makes the database where there is none. All of it or nothing happens; a second upgrade at the same time waits.
    """
    upgrade_database(settings_of(current_app))
    click.echo(f"The database has the code's schema, {schema.head()}.")


@db.command(cls=PlainCommand)
def check() -> None:
    """Say whether the schema is the code's.

    Exit status 1 when it is not.
    """
    if problem := schema.current_problem(current_context().database):
        raise schema.DatabaseProblem(problem)
    click.echo(f"The database has the code's schema, {schema.head()}.")
