"""Turns what a command may meet into one line on stderr and exit status 1, under `portal` and `flask` alike."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from portal.cli.customer_file import UnreadableFile
from portal.domain.api_keys import UnknownKey
from portal.domain.errors import Refused
from portal.domain.operations.customers import UnknownCustomer
from portal.domain.operations.import_customers import ImportRefused
from portal.domain.operations.organisation_settings import InvalidOrganisation
from portal.domain.organisations import UnknownOrganisation
from portal.storage.backends import DatabaseUnavailable
from portal.storage.schema import DatabaseProblem


class PlainCommand(click.Command):
    """A command whose failures are one readable line, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with plain_errors():
            return super().invoke(ctx)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise click's own one-line exception in place of any other."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:
        raise  # `portal customer list | head`: click ends quietly
    except Exception as error:
        raise click.ClickException(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    match error:
        case DatabaseProblem() | UnknownOrganisation() | UnknownCustomer() | UnknownKey():
            return str(error)
        case InvalidOrganisation():
            return str(error)
        case UnreadableFile() | ImportRefused():
            return f"Nothing was imported: {error}"
        case Refused():
            return error.in_english
        case DatabaseUnavailable():
            return _of_database(str(error))
        case SQLAlchemyError():
            # Its words quote the statement and its values.
            return f"The database cannot be used: {type(error).__name__}."
        case OSError():
            return f"{error.strerror or error}: {error.filename}" if error.filename else str(error.strerror or error)
        case _:
            place = traceback.extract_tb(error.__traceback__)[-1]
            return (
                f"A fault in the portal itself, please report it: {type(error).__name__}"
                f" at {Path(place.filename).name}:{place.lineno}."
            )


def _of_database(words: str) -> str:
    if "no such table" in words or ("does not exist" in words and "relation" in words):
        return "The database has no schema yet, or not this version's: run `portal db upgrade`."
    if "unable to open" in words:
        return "There is no database that could be opened: put it back, or run `portal db upgrade` to make one."
    return f"The database cannot be used: {words}."
