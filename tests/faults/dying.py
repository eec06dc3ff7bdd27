"""F6: another process at the same portal, killed with SIGKILL at a point of its work that a test names."""

import os
import signal
import smtplib
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from sqlalchemy import event

from tests.web.browser import Browser
from tests.web.conftest import Site

PATIENCE_SECONDS = 60
"""After which a process is taken to hang."""
Point = Callable[[Site], None]
"""Has a site's process killed there."""
T = TypeVar("T")


def kill(site: Site, point: Point, work: Callable[[Site], object]) -> None:
    """Have another process work at a portal, and kill it at a point: whatever was open is left as it was.

    It makes an app and connections of its own; only to be up at once it is a fork of this one.
    """
    # Neither SQLite's locks nor a connection to PostgreSQL may be shared with a fork.
    site.context.database.engine.dispose()
    child = _fork()
    if child == 0:
        _die_working(site, point, work)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "the process did not come to the point"


def carried(browser: Browser, other: Site) -> Browser:
    """The same browser, before another process of its portal."""
    same = other.browser(browser.address)
    if cookie := browser.cookie():
        same.set_cookie(cookie)
    return same


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


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 and later warn that a thread might have held a lock just now: those of a test are the sink's and
        # the hasher's, which wait and hold none, and the child makes its own of all that it uses.
        warnings.filterwarnings("ignore", r".*multi-threaded, use of fork\(\)", DeprecationWarning)
        return os.fork()


def _die_working(site: Site, point: Point, work: Callable[[Site], object]) -> NoReturn:
    signal.alarm(PATIENCE_SECONDS)
    try:
        other = Site(site.settings, site._sink)
        point(other)
        work(other)
    except BaseException:  # noqa: BLE001 - nothing of the test that forked may go on here
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)
