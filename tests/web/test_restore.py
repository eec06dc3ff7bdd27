"""F25: yesterday's copy is put back, and nothing that happened since happens a second time."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.backup import back_up, is_copy, settle_copy
from portal.config import DATABASE_FILE
from portal.domain.clock import utc_now
from portal.domain.delivery import list_mails
from portal.domain.restoring import HELD_BACK
from tests.web.browser import Browser
from tests.web.conftest import Site, Start
from tests.web.post import link_in

pytestmark = pytest.mark.on_sqlite
ADA = "ada@example.com"
SINCE = "eleven grey otters dive"
"""The password that was set after the copy was made."""


@dataclass
class Restored:
    site: Site
    signed_out: Browser
    """It had an identity when the copy was made, and ended it afterwards."""
    cookie: str
    used_link: str


@pytest.fixture
def restored(start: Start, tmp_path: Path) -> Restored:
    """A portal on a copy: since it was made a link was used, an identity ended, and a mail sent."""
    site = start()
    browser = site.customer(ADA)
    cookie = browser.cookie() or ""
    site.browser().ask_for_reset(ADA)  # its mail still waits
    back_up(site.settings, tmp_path / "yesterday.sqlite3")
    link = site.link(ADA)
    browser.sign_out()
    assert site.browser().fill(link, {"password": SINCE}).status == 302
    site.close()
    shutil.copy(tmp_path / "yesterday.sqlite3", tmp_path / DATABASE_FILE)
    site = start()
    assert settle_copy(site.context.database, utc_now()) is not None
    return Restored(site, browser, cookie, link)


def test_a_used_link_stays_used(restored: Restored) -> None:
    assert restored.site.browser().open(restored.used_link).status == 410


def test_an_identity_that_was_ended_stays_ended(restored: Restored) -> None:
    browser = restored.site.browser()
    browser.set_cookie(restored.cookie)
    assert not browser.is_signed_in


def test_no_mail_goes_out_twice(restored: Restored) -> None:
    sent = [link_in(mail) for mail in restored.site.mails(ADA)[1:2]]
    assert sent == [restored.site.settings.base_url + restored.used_link]
    assert len(restored.site.mails(ADA)) == len({mail["Message-ID"] for mail in restored.site.mails(ADA)})
    with restored.site.context.database.read() as connection:
        assert HELD_BACK in {mail.reason for mail in list_mails(connection, None, 10)}


def test_the_customer_is_there_and_can_go_on(restored: Restored) -> None:
    browser = restored.site.browser()
    browser.ask_for_reset(ADA)
    assert browser.fill(restored.site.link(ADA), {"password": SINCE}).status == 302
    assert browser.sign_in(ADA, SINCE).status == 302


def test_a_settled_copy_is_not_settled_again(restored: Restored) -> None:
    with restored.site.context.database.read() as connection:
        assert not is_copy(connection)
    assert settle_copy(restored.site.context.database, utc_now()) is None
