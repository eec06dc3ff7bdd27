"""Another process at the same portal, killed with SIGKILL at a point of its work that a test names."""

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
"""Has a site's process killed there."""


def kill(site: Site, point: Point, work: Callable[[Site], object]) -> None:
    """Have another process work at a portal, and kill it at a point: whatever was open is left as it was.

    It makes an app and connections of its own; only to be up at once it is a fork of this one.
    """

    def die_working() -> None:
        other = Site(site.settings, site._sink)
        point(other)
        work(other)

    site.context.database.engine.dispose()
    assert end_of(fork(die_working)) == -signal.SIGKILL, "the process did not come to the point"


def carried(browser: Browser, other: Site) -> Browser:
    """The same browser, before another process of its portal."""
    same = other.browser(browser.address)
    if cookie := browser.cookie():
        same.set_cookie(cookie)
    return same


def end_leases(connection: Connection) -> Sequence[str]:
    """As if the time of all leases had passed; the names of the mails that were held."""
    held = update(OutboxMail).where(OutboxMail.c.claim.is_not(None)).returning(OutboxMail.c.message_id)
    return connection.scalars(held.values(lease_until=utc_now() - timedelta(seconds=1))).all()


# Points, by what the database is told. A statement is given by its first words.


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
    """Before the COMMIT of a statement's transaction."""
    return lambda site: _on_statement(
        site,
        "after_cursor_execute",
        words,
        lambda: event.listen(site.context.database.engine, "commit", lambda _connection: die()),
    )


def after_commit(words: str) -> Point:
    """After it: the connection is given back, and nobody has been told anything."""
    return lambda site: _on_statement(
        site,
        "after_cursor_execute",
        words,
        lambda: event.listen(site.context.database.engine, "checkin", lambda *_rest: die()),
    )


def answered(site: Site) -> None:
    """After all of a request's work, when its answer is about to leave."""
    site.app.after_request_funcs.setdefault(None, []).insert(0, lambda _response: die())


# Points, by what the mail server is told.


def before_call(name: str) -> Point:
    """Before a step of smtplib's client."""
    return lambda _site: setattr(smtplib.SMTP, name, lambda *_rest: die())


def after_call(name: str) -> Point:
    """After a step of smtplib's client, whose answer has come."""
    step = getattr(smtplib.SMTP, name)

    def last(*arguments: Any) -> None:
        step(*arguments)
        die()

    return lambda _site: setattr(smtplib.SMTP, name, last)


def while_sending(share: float) -> Point:
    """When so much of a mail has been sent; 1 is all of it, the dot included, and nothing was heard of it."""
    send = smtplib.SMTP.send

    def last(client: smtplib.SMTP, content: bytes | str) -> None:
        if not isinstance(content, bytes):  # a command
            return send(client, content)
        send(client, content[: int(len(content) * share)])
        die()

    return lambda _site: setattr(smtplib.SMTP, "send", last)


def die() -> NoReturn:
    """End as a process does for which the memory did not suffice: at once."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _on_statement(site: Site, moment: str, words: str, do: Callable[[], None]) -> None:
    def look(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(words):
            do()

    event.listen(site.context.database.engine, moment, look)
