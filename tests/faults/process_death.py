"""A process of a portal that is killed with SIGKILL at a point that the test names."""

import os
import signal
import smtplib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NoReturn

from sqlalchemy import Connection, event, update

from portal.storage.clock import utc_now
from portal.storage.models import OutboxMail
from tests.servers.processes import end_of, fork
from tests.web.browser import Browser
from tests.web.conftest import Site

Point = Callable[[Site], None]
"""Kills a site's process at a point."""


def kill(site: Site, point: Point, work: Callable[[Site], object]) -> None:
    """Let another process of a portal work, and kill it at a point; its locks and connections stay as they were.

    It creates its own app and connections; it is a fork of the test's process only because that starts faster.
    """

    def die_working() -> None:
        other = Site(site.settings, site._sink)
        point(other)
        work(other)

    site.context.database.engine.dispose()
    assert end_of(fork(die_working)) == -signal.SIGKILL, "the process did not come to the point"


def carried(browser: Browser, other: Site) -> Browser:
    """Return the same browser, at another process of its portal."""
    same = other.browser(browser.address)
    if cookie := browser.cookie():
        same.set_cookie(cookie)
    return same


def end_leases(connection: Connection) -> Sequence[str]:
    """Expire all leases; return the Message-IDs of the claimed emails."""
    held = update(OutboxMail).where(OutboxMail.c.claim.is_not(None)).returning(OutboxMail.c.message_id)
    return connection.scalars(held.values(lease_until=utc_now() - timedelta(seconds=1))).all()


# Points in the communication with the database. A statement is given by its first words.


def before(words: str) -> Point:
    """Before a statement."""
    return lambda site: _on_statement(site, "before_cursor_execute", words, die)


def after(words: str, *, times: int = 1) -> Point:
    """After a statement, the first of its kind or a later one."""
    left = iter(range(times - 1))

    def die_at_last() -> None:
        if next(left, None) is None:
            die()

    return lambda site: _on_statement(site, "after_cursor_execute", words, die_at_last)


def before_commit(words: str) -> Point:
    """Before the COMMIT of a transaction that contains a statement."""
    return lambda site: _on_statement(
        site,
        "after_cursor_execute",
        words,
        lambda: event.listen(site.context.database.engine, "commit", lambda _connection: die()),
    )


def after_commit(words: str) -> Point:
    """After the COMMIT: the connection is returned, and no response was sent."""
    return lambda site: _on_statement(
        site,
        "after_cursor_execute",
        words,
        lambda: event.listen(site.context.database.engine, "checkin", lambda *_rest: die()),
    )


def answered(site: Site) -> None:
    """After all of a request's work, before its response is sent."""
    site.app.after_request_funcs.setdefault(None, []).insert(0, lambda _response: die())


# Points in the communication with the mail server.


def before_call(name: str) -> Point:
    """Before a step of smtplib's client."""
    return lambda _site: setattr(smtplib.SMTP, name, lambda *_rest: die())


def after_call(name: str) -> Point:
    """After a step of smtplib's client whose reply has come."""
    step = getattr(smtplib.SMTP, name)

    def last(*arguments: Any) -> None:
        step(*arguments)
        die()

    return lambda _site: setattr(smtplib.SMTP, name, last)


def while_sending(share: float) -> Point:
    """When a part of an email has been sent; 1 is all of it with the final dot, but no reply was read."""
    send = smtplib.SMTP.send

    def last(client: smtplib.SMTP, content: bytes | str) -> None:
        if not isinstance(content, bytes):  # a command
            return send(client, content)
        send(client, content[: int(len(content) * share)])
        die()

    return lambda _site: setattr(smtplib.SMTP, "send", last)


def die() -> NoReturn:
    """End at once, as a process that is killed for lack of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _on_statement(site: Site, moment: str, words: str, do: Callable[[], None]) -> None:
    def look(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(words):
            do()

    event.listen(site.context.database.engine, moment, look)
