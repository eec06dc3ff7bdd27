"""`portal worker`: delivers queued mail."""

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
    """Deliver queued mail.

    Also purges what has expired; until SIGTERM or Ctrl-C, when the mail that is being sent is finished. Any number may
    run at the same time; each mail goes to one of them.
    """
    configure_logging(settings_of(current_app))
    warn_of_unknown_variables()
    if problem := schema.current_problem(current_context().database):
        raise schema.DatabaseProblem(problem)
    with current_context().database.read() as connection:
        if is_copy(connection):
            raise schema.DatabaseProblem("This database is a copy that was put back: run `portal after-restore`.")
    # A handler runs in the main thread alone, and Python does not wake that when the system gives the signal to another
    # thread. A byte does; a second one changes nothing.
    told, tells = os.pipe()
    os.set_blocking(tells, False)
    signal.set_wakeup_fd(tells)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    thread = MailThread(current_app._get_current_object())  # type: ignore[attr-defined] # noqa: SLF001 - Flask's documented way to hand the app itself to a thread
    thread.start()
    os.read(told, 1)
    thread.stop()
    thread.join()
