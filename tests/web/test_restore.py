"""After yesterday's backup is restored, nothing that happened since then happens again."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.backup import back_up, is_copy, settle_copy
from portal.cli.backup import after_restore
from portal.domain.operations.mail_queue import list_mails
from portal.domain.operations.restore import HOLD_REASON
from portal.settings import DATABASE_FILE
from portal.storage.clock import utc_now
from tests.servers.postgres import Postgres
from tests.web.browser import Browser
from tests.web.conftest import Site, Start
from tests.web.post import link_in

ADA = "ada@example.com"
SINCE = "eleven grey otters dive"
"""The password that was set after the copy was made."""


@dataclass
class Restored:
    site: Site
    signed_out: Browser
    """It was valid when the copy was made, and ended afterwards."""
    cookie: str
    used_link: str


class Sqlite:
    """Copy with `portal backup`; the portal that finds the copy settles it when it starts."""

    def __init__(self, start: Start, folder: Path) -> None:
        self._start = start
        self._file = folder / DATABASE_FILE
        self._copy = folder / "yesterday.sqlite3"

    def back_up(self, site: Site) -> None:
        back_up(site.settings, self._copy)

    def put_back(self) -> Site:
        shutil.copy(self._copy, self._file)
        site = self._start()
        assert settle_copy(site.context.database, utc_now()) is not None
        return site


class Postgresql:
    """Copy with pg_dump; the operator settles the copy."""

    def __init__(self, start: Start, folder: Path, server: Postgres) -> None:
        self._start = start
        self._copy = folder / "yesterday.dump"
        self._server = server

    def back_up(self, _site: Site) -> None:
        self._server.dump("reusable_database", self._copy)

    def put_back(self) -> Site:
        site = self._start(DATABASE_URL=self._server.restore(self._copy, "restored"))
        ended = site.app.test_cli_runner().invoke(after_restore)
        assert ended.exit_code == 0, ended.output
        assert ended.output.startswith("Ended 1 links and 1 sessions; set 1 emails aside")
        return site


@pytest.fixture
def restored(start: Start, tmp_path: Path, database_url: str, request: pytest.FixtureRequest) -> Restored:
    """A portal on a copy, after which a link was used, an identity ended, and an email sent."""
    keeper: Sqlite | Postgresql = Sqlite(start, tmp_path)
    if database_url.startswith("postgresql"):
        keeper = Postgresql(start, tmp_path, request.getfixturevalue("postgres"))
    site = start()
    browser = site.customer(ADA)
    cookie = browser.cookie() or ""
    site.browser().ask_for_reset(ADA)  # its email is still queued
    keeper.back_up(site)
    link = site.link(ADA)
    browser.sign_out()
    assert site.browser().fill(link, {"password": SINCE}).status == 302
    site.close()
    return Restored(keeper.put_back(), browser, cookie, link)


def test_a_used_link_stays_used(restored: Restored) -> None:
    assert restored.site.browser().open(restored.used_link).status == 410


def test_an_ended_identity_stays_ended(restored: Restored) -> None:
    browser = restored.site.browser()
    browser.set_cookie(restored.cookie)
    assert not browser.is_signed_in


def test_no_email_is_sent_twice(restored: Restored) -> None:
    sent = [link_in(mail) for mail in restored.site.mails(ADA)[1:2]]
    assert sent == [restored.site.settings.base_url + restored.used_link]
    assert len(restored.site.mails(ADA)) == len({mail["Message-ID"] for mail in restored.site.mails(ADA)})
    with restored.site.context.database.read() as connection:
        assert HOLD_REASON in {mail.reason for mail in list_mails(connection, None, 10)}


def test_the_customer_can_sign_in_after_a_restore(restored: Restored) -> None:
    browser = restored.site.browser()
    browser.ask_for_reset(ADA)
    assert browser.fill(restored.site.link(ADA), {"password": SINCE}).status == 302
    assert restored.site.browser().sign_in(ADA, SINCE).status == 302


@pytest.mark.on_sqlite
def test_after_restore_runs_once(restored: Restored) -> None:
    with restored.site.context.database.read() as connection:
        assert not is_copy(connection)
    assert settle_copy(restored.site.context.database, utc_now()) is None
