"""Turn each exception of a command into one line on stderr and exit status 1, under `portal` and `flask` alike."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from portal.cli.customer_file import UnreadableFile
from portal.domain.api_keys import UnknownKey
from portal.domain.contact_details import CustomerDeleted
from portal.domain.errors import Refused
from portal.domain.operations.customers import UnknownCustomer
from portal.domain.operations.import_customers import ImportRefused
from portal.domain.operations.organisation_settings import InvalidOrganisation
from portal.domain.organisations import UnknownOrganisation
from portal.storage.backends import DatabaseUnavailable
from portal.storage.schema import DatabaseProblem


class PlainCommand(click.Command):
    """A command that reports each failure as one line, never as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command and turn its exceptions into ClickException."""
        with plain_errors():
            return super().invoke(ctx)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise a ClickException with a one-line message in place of any other exception."""
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
        case DatabaseProblem() | UnknownOrganisation() | UnknownKey() | InvalidOrganisation():
            return str(error)
        case UnknownCustomer() | CustomerDeleted():
            return str(error)
        case UnreadableFile() | ImportRefused():
            return f"Nothing was imported: {error}"
        case Refused():
            return error.in_english
        case DatabaseUnavailable():
            return _database_message(str(error))
        case SQLAlchemyError():
            # Its message quotes the statement and its values.
            return f"The database cannot be used: {type(error).__name__}."
        case OSError():
            problem = str(error.strerror or error)
            return f"{error.filename}: {problem}" if error.filename else problem
        case _:
            place = traceback.extract_tb(error.__traceback__)[-1]
            return (
                f"Internal error: {type(error).__name__} at {Path(place.filename).name}:{place.lineno};"
                " please report it."
            )


def _database_message(problem: str) -> str:
    if "no such table" in problem or ("does not exist" in problem and "relation" in problem):
        return "The database has no schema, or that of another version; run `portal db upgrade`."
    if "unable to open" in problem:
        return "The database cannot be opened; put its file back, or run `portal db upgrade` to create it."
    return f"The database cannot be used: {problem}."
