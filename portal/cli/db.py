"""`portal db`: migrations of the database."""

import click
from flask import current_app
from flask.cli import AppGroup

from portal.app import current_context, settings_of
from portal.cli.errors import PlainCommand
from portal.instance_dir import upgrade_database
from portal.storage import schema


@click.group(cls=AppGroup)
def db() -> None:
    """Migrate the database, or check its schema."""


@db.command(cls=PlainCommand)
def upgrade() -> None:
    """Migrate the database to this version's schema.

    Creates the database if there is none. The migration is done as a whole or not at all; a second upgrade at the same
    time waits for the first.
    """
    upgrade_database(settings_of(current_app))
    click.echo(f"The database has this version's schema, {schema.head()}.")


@db.command(cls=PlainCommand)
def check() -> None:
    """Check that the schema is this version's.

    The exit status is 1 when it is not.
    """
    if problem := schema.current_problem(current_context().database):
        raise schema.DatabaseProblem(problem)
    click.echo(f"The database has this version's schema, {schema.head()}.")
