"""Another process holds SQLite's lock, briefly or for long; a reader blocks the checkpoint of the log."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Timer
from time import monotonic

import pytest

from portal.domain.context import Context
from portal.storage import sqlite
from tests.long_tests import LONG
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page

pytestmark = [pytest.mark.on_sqlite, pytest.mark.full]

EMAIL = "ada@example.com"
WRITERS = [(5, 1, 10), (5, 8, 60)] if LONG else [(1, 1, 600)]
"""Seconds that a visitor waits, visitors in a row, and seconds that the lock is held if the test does not release it.
"""


def file_of(context: Context) -> Path:
    return Path(str(context.database.engine.url.database))


@contextmanager
def writing(site: Site, seconds: float) -> Iterator[Event]:
    """Hold the write lock in another connection for a time, or to the end of the block; the event is set at its end."""
    ended = Event()
    with closing(sqlite3.connect(file_of(site.context), isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        def end() -> None:
            if not ended.is_set():
                ended.set()
                other.rollback()

        timer = Timer(seconds, end)
        timer.start()
        yield ended
        timer.cancel()
        timer.join()
        end()


def sign_in(browser: Browser) -> tuple[Page, float]:
    """The response, and the seconds it took."""
    form = browser.open("/login").form()
    began = monotonic()
    page = browser.post(form, {"email": EMAIL, "password": PASSWORD})
    return page, monotonic() - began


def test_a_write_waits_for_a_short_writer_and_succeeds(site: Site) -> None:
    site.customer(EMAIL)
    with writing(site, 1.0) as ended:
        assert sign_in(site.browser())[0].status == 302
        assert ended.is_set()


@pytest.mark.parametrize(("patience", "visitors", "held"), WRITERS)
def test_a_write_behind_a_long_writer_is_a_503_after_the_timeout(
    start: Start, monkeypatch: pytest.MonkeyPatch, patience: int, visitors: int, held: int
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", patience)
    site = start()
    signed_in = site.customer(EMAIL)
    with writing(site, held) as ended:
        for _ in range(visitors):
            page, seconds = sign_in(site.browser())
            assert_error_page(page, 503)
            assert 0 < int(page.headers["Retry-After"]) <= 60
            assert seconds > 0.9 * patience
            assert not ended.is_set()
            assert signed_in.is_signed_in
            assert site.browser().send("/readyz").status == 200
        if LONG:
            assert ended.wait(held)
    assert sign_in(site.browser())[0].status == 302


def test_a_writer_waits_for_the_documented_5_seconds(context: Context) -> None:
    with context.database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 5000


def write(context: Context, pages: int) -> None:
    with context.database.write() as connection:
        for _ in range(pages):
            connection.exec_driver_sql("INSERT INTO filler VALUES (randomblob(4000))")


def test_the_write_ahead_log_shrinks_after_a_long_reader(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LOG_BYTES", 1024 * 1024)
    log = file_of(context).with_name(file_of(context).name + "-wal")
    with context.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE filler (content BLOB)")
    with closing(sqlite3.connect(file_of(context), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM filler").fetchone()
        write(context, 1500)
        context.database.scrub()
        assert log.stat().st_size > 5_000_000, "nothing that the reader may want is taken away"
    for _ in range(3):
        write(context, 1)
    assert log.stat().st_size <= 1024 * 1024
    with context.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM filler").scalar_one() == 1503
