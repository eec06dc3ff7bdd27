"""Upgrades of a database, each killed one statement later than the one before, until one finishes.

This is a process of its own: a fork of this small process takes a few milliseconds, a fork of the test run twenty times
as long.
"""

import os
import signal
import sys
import traceback
from typing import Any, NoReturn

from sqlalchemy import event, text

from portal.storage import schema
from portal.storage.database import Database, open_database

PATIENCE_SECONDS = 60


class Mark:
    """Kill the process before the n-th statement of the first migration that it runs, or before COMMIT. Later
    migrations are covered by databases that start at a later revision.
    """

    def __init__(self, database: Database, number: int) -> None:
        self._left = number
        self._is_first_done = False
        event.listen(database.engine, "before_cursor_execute", self._at_statement)
        event.listen(database.engine, "commit", self._step)

    def _at_statement(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not self._is_first_done:
            self._step()
        self._is_first_done |= statement.startswith(("INSERT INTO alembic_version", "UPDATE alembic_version"))

    def _step(self, *_: object) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def what_is_there(database: Database) -> tuple[str | None, list[Any]]:
    """The revision of the schema, and the customers."""
    with database.read() as connection:
        revision = schema._revision(connection)
        customers = connection.execute(text("SELECT email FROM contact")).all() if revision else []
    return revision, [*customers]


def kill_at_each_statement(url: str) -> int:
    """Return how many upgrades were killed before one finished. Each must find the data that was there before the
    first.
    """
    database = open_database(url)
    before = what_is_there(database)
    database.engine.dispose()  # no child may inherit a connection
    killed = 0
    while _is_killed_at(url, killed + 1, before):
        killed += 1
    assert what_is_there(database) == (schema.head(), before[1])
    return killed


def _is_killed_at(url: str, number: int, before: object) -> bool:
    child = os.fork()
    if not child:
        _upgrade_and_die(url, number, before)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), f"the upgrade ended with {status} on the way to its statement {number}"
    return status != 0


def _upgrade_and_die(url: str, number: int, before: object) -> NoReturn:
    signal.alarm(PATIENCE_SECONDS)
    try:
        database = open_database(url)
        assert what_is_there(database) == before, f"killed at its statement {number - 1}, the last one left that"
        Mark(database, number)
        schema.upgrade(database)
    except BaseException:  # noqa: BLE001 - the code of the parent must not continue here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    schema.head()  # once, and not in each child
    sys.stdout.writelines(f"{kill_at_each_statement(url)}\n" for url in sys.argv[1:])
