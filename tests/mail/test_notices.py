"""The content of notices by email."""

import pytest

from portal.domain.operations import mail_delivery
from portal.domain.outbox import Notice
from portal.mail.render import render
from tests.mail.conftest import OpenOffice, Rendered, text_of
from tests.mail.mail_portal import ADA
from tests.mail.test_render import CHROME, OF_BANS, OF_SECURITY
from tests.web.html import read
from tests.web.post import html_of

pytestmark = pytest.mark.on_sqlite


@pytest.mark.parametrize("notice", sorted(OF_SECURITY))
def test_a_notice_has_a_button_to_report_that_it_was_not_me(
    open_office: OpenOffice, rendered: Rendered, notice: Notice
) -> None:
    tree, _ = read(html_of(rendered(open_office(), ADA, notice)))
    button = tree.one("td", class_="button").one("a")
    assert button.text == "This wasn't me"
    assert {link.get("href") for link in tree.all("a")} == {button.get("href")}


@pytest.mark.parametrize("notice", sorted(OF_BANS))
def test_a_notice_of_a_ban_has_no_link(open_office: OpenOffice, rendered: Rendered, notice: Notice) -> None:
    mail = rendered(open_office(), ADA, notice)
    assert "http" not in text_of(mail)
    assert "href" not in html_of(mail)


def test_a_notice_whose_link_is_missing_leads_to_a_reset(open_office: OpenOffice, rendered: Rendered) -> None:
    mail_portal = open_office(BASE_URL="https://portal.example.com")
    mail_portal.queue_raw(locale="en")  # as the version before stored it
    with mail_portal.context.database.write() as connection:
        mail = mail_delivery.claim_next(connection, mail_portal.context.clock, "c" * 32)
    assert mail is not None
    assert "\r\nhttps://portal.example.com/password/reset\r\n" in render(mail_portal.app, mail).as_bytes().decode()


@pytest.mark.parametrize(
    ("locale", "until", "words"),
    [
        ("en", "2026-03-31T12:00:00+00:00", "opens again by itself on 31 March 2026, 12:00 UTC."),
        ("cs", "2026-03-31T12:00:00+00:00", "znovu otevře 31. března 2026 12:00 UTC."),
        ("en", None, ""),
    ],
)
def test_a_notice_of_a_ban_says_until_when(
    open_office: OpenOffice, rendered: Rendered, locale: str, until: str | None, words: str
) -> None:
    mail = rendered(open_office(), ADA, Notice.BANNED, locale=locale, details={"until": until} if until else None)
    for part in (text_of(mail), read(html_of(mail))[0].one("body").text):
        assert words in " ".join(part.split())
        assert bool(until) == ("itself" in part or "sám" in part)


@pytest.mark.parametrize("notice", [Notice.PASSKEY_ADDED, Notice.PASSKEY_REMOVED])
def test_a_notice_of_a_passkey_says_where_it_is_saved_if_that_is_known(
    open_office: OpenOffice, rendered: Rendered, notice: Notice
) -> None:
    mail_portal = open_office()
    for provider in ("Google Password Manager", None):
        mail = rendered(mail_portal, ADA, notice, details={"provider": provider})
        for part in (text_of(mail), read(html_of(mail))[0].one("body").text):
            assert (f" saved in {provider}." in " ".join(part.split())) == bool(provider)
            assert ("saved" in part) == bool(provider)


def test_a_notice_of_several_sign_ins_describes_each(open_office: OpenOffice, rendered: Rendered) -> None:
    details = {
        "signIns": [
            {"at": "2026-03-01T12:10:00+00:00", "ip": "192.0.2.1", "userAgent": "Firefox/140.0"},
            {"at": "2026-03-01T12:20:00+00:00", "ip": None, "userAgent": None},
        ]
    }
    mail = rendered(open_office().seen_with(CHROME), ADA, Notice.NEW_SIGN_IN, details=details)
    lines = [line for line in text_of(mail).splitlines() if line.startswith(("Time: ", "Device: ", "There were more"))]
    assert lines == [
        "Time: 1 March 2026, 12:00 UTC",
        "Device: Chrome on Windows",
        "There were more sign-ins from new browsers after that:",
        "Time: 1 March 2026, 12:10 UTC",
        "Device: Firefox",
        "Time: 1 March 2026, 12:20 UTC",
    ]
    cells = [cell.text for cell in read(html_of(mail))[0].all("td") if cell.text.startswith("1 March")]
    assert cells == [f"1 March 2026, 12:{minute}0 UTC" for minute in (0, 1, 2)]
