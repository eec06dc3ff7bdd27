"""`portal worker`: deliver queued email and delete expired data."""

import os
import signal

import click
from flask import current_app
from flask.cli import with_appcontext

from portal.app import current_context, settings_of
from portal.backup import is_copy
from portal.cli.errors import PlainCommand
from portal.logging_setup import configure_logging
from portal.mail.thread import MailThread
from portal.settings import warn_of_unknown_variables
from portal.storage import schema


@click.command(cls=PlainCommand)
@with_appcontext
def worker() -> None:
    """Deliver queued email and delete expired data.

    Runs until SIGTERM or Ctrl-C, then finishes the email that is being sent. Any number of workers may run at the same
    time; each email is sent by one of them.
    """
    configure_logging(settings_of(current_app))
    warn_of_unknown_variables()
    if problem := schema.current_problem(current_context().database):
        raise schema.DatabaseProblem(problem)
    with current_context().database.read() as connection:
        if is_copy(connection):
            raise schema.DatabaseProblem("This database is a restored copy; run `portal after-restore`.")
    # Python runs signal handlers in the main thread only, and does not wake it when another thread gets the signal. A
    # byte in the pipe does; a second byte changes nothing.
    wakeup_read, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.set_wakeup_fd(wakeup_write)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    thread = MailThread(current_app._get_current_object())  # type: ignore[attr-defined] # noqa: SLF001 - Flask's documented way to hand the app itself to a thread
    thread.start()
    os.read(wakeup_read, 1)
    thread.stop()
    thread.join()
