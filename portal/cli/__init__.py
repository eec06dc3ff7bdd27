"""The `portal` command for operators, one module for each noun.

Built on Flask's own command groups, so `flask --app portal …` offers the same commands. `portal` itself makes the app
only for a command that works with it: help and `portal serve` need none, and a wrong setting is one line.
"""

import codecs
import json
import os
import sys
from importlib import import_module
from io import TextIOWrapper

import click
from flask.cli import AppGroup, ScriptInfo

from portal import create_app
from portal.cli.loading import loading

_MODULES = {
    "after-restore": "backup",
    "api-key": "api_key",
    "backup": "backup",
    "check": "check",
    "customer": "customer",
    "db": "db",
    "mail": "mail",
    "organisation": "organisation",
    "serve": "serve",
    "worker": "worker",
}
"""The commands, and their modules in this package."""
INTERRUPTED = 130
"""Exit status of a command that Ctrl-C has ended (128 + SIGINT)."""


class _Commands(AppGroup):
    """A group that loads the module of a command when the command is run or listed: `portal serve` needs no other."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _MODULES:
            return None
        with loading():
            command: click.Command = getattr(import_module(f"portal.cli.{_MODULES[name]}"), name.replace("-", "_"))
        return command


@click.group(cls=_Commands)
@click.version_option(package_name="portal", message="portal %(version)s")
def portal() -> None:
    """Serve the customer portal and administer it."""


def main() -> None:
    """Run the console script; each failure is one line on stderr and an exit status other than 0."""
    os.umask(0o077)  # whatever a command writes is its operator's alone
    _escape_unencodable_letters()
    with loading():
        from portal.cli.errors import plain_errors  # with the modules of the domain whose exceptions it words
    script = ScriptInfo(create_app=create_app, set_debug_flag=False, load_dotenv_defaults=False)
    try:
        with plain_errors():  # help and version are written by no command
            status = portal.main(prog_name="portal", standalone_mode=False, obj=script)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        status = error.exit_code
    except click.ClickException as error:
        message = " ".join(error.format_message().split())  # click puts each choice of an option on its own line
        click.echo(f"Error: {message}", err=True)
        status = error.exit_code
    except click.Abort:
        status = INTERRUPTED
    sys.exit(status)


def _escape_unencodable_letters() -> None:
    """Print letters that the terminal's encoding lacks as JSON escapes, instead of failing."""
    codecs.register_error("json", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="json")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - the streams are only written to
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
