"""The content of emails."""

import re
from pathlib import Path

import pytest
from sqlalchemy import update

from portal.domain.outbox import LINKS, Notice
from portal.domain.tokens import Purpose
from portal.mail.render import one_line
from portal.storage.models import Organisation
from tests.mail.conftest import OpenOffice, Rendered, text_of
from tests.mail.mail_portal import ADA
from tests.mmdb import write_mmdb
from tests.web.html import read
from tests.web.post import html_of

pytestmark = pytest.mark.on_sqlite
LINE_ENDS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
OF_SECURITY = frozenset(notice for notice, purpose in LINKS.items() if purpose is Purpose.NOT_ME)
OF_BANS = frozenset({Notice.BANNED, Notice.UNBANNED})
WITHOUT_LINK = OF_BANS | {Notice.ERASED, Notice.ADDRESS_UNDONE, Notice.TEST}
"""Emails without a link, or with one to the sign-in page only."""


@pytest.mark.parametrize("notice", Notice)
def test_each_mail_is_text_first_then_html_with_every_header(
    open_office: OpenOffice, rendered: Rendered, notice: Notice
) -> None:
    mail = rendered(open_office(BASE_URL="https://portal.example.com"), ADA, notice)
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in mail.iter_parts()] == ["utf-8", "utf-8"]
    assert (mail["To"], mail["From"]) == (ADA, "Customer portal <portal@localhost>")
    assert mail["Message-ID"].endswith("@portal.example.com>")
    assert (mail["Content-Language"], mail["Auto-Submitted"]) == ("en", "auto-generated")
    assert mail["Date"].datetime.isoformat() == "2026-03-01T12:00:00+00:00"
    assert mail["Subject"]
    assert "\n\n\n" not in text_of(mail).replace("\r", "")
    assert "Customer portal" in text_of(mail)


@pytest.mark.parametrize(
    ("notice", "purpose", "path"),
    [
        (Notice.VERIFY, Purpose.VERIFY, "/register/verify/"),
        (Notice.RESET, Purpose.RESET, "/password/reset/"),
        (Notice.SIGN_IN, Purpose.SIGN_IN, "/login/link/"),
        *((notice, Purpose.NOT_ME, "/not-me/") for notice in sorted(OF_SECURITY)),
        (Notice.CLOSED, Purpose.KEEP, "/account/keep/"),
        (Notice.KEEP, Purpose.KEEP, "/account/keep/"),
    ],
)
def test_a_link_begins_with_the_base_url_stands_alone_and_has_one_purpose(
    open_office: OpenOffice, rendered: Rendered, notice: Notice, purpose: Purpose, path: str
) -> None:
    mail_portal = open_office(BASE_URL="https://portal.example.com")
    start = "https://portal.example.com" + path
    (token,) = (
        line.removeprefix(start)
        for line in text_of(rendered(mail_portal, ADA, notice)).splitlines()
        if line.startswith(start)
    )
    assert len(mail_portal.context.signer.public_id(purpose, token)) == 32
    with mail_portal.context.database.read() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM outbox").all())
        rows += str(connection.exec_driver_sql("SELECT * FROM link").all())
    assert token not in rows


@pytest.mark.parametrize("notice", Notice)
def test_each_mail_says_why_it_came_when_it_ends_and_what_to_do_if_it_was_not_you(
    open_office: OpenOffice, rendered: Rendered, notice: Notice
) -> None:
    mail = rendered(open_office(), ADA, notice)
    html = mail.get_body(("html",))
    assert html is not None
    tree, _ = read(str(html.get_content()))
    for text in (text_of(mail), tree.one("body").text):
        words = " ".join(text.split())
        assert "You received this email because " in words
        assert ADA in words
        assert notice in OF_BANS or re.search(
            "Didn't ask for this\\? You can ignore this email\\.|If (this wasn't you|you didn't ask for this), ", words
        )
        assert "Customer portal will never ask for your password by email or phone." in words
        assert re.search(r"Time:? ?1 March 2026, 12:00 UTC", words)
        expiry = r"expires? after 30 minutes|do(es)? not expire|will be erased on "
        assert notice in WITHOUT_LINK or re.search(expiry, words)
    assert tree.one("meta", name="color-scheme").get("content") == "light dark"


@pytest.mark.parametrize("notice", [Notice.VERIFY, Notice.SIGN_IN])
def test_a_code_stands_alone_on_its_line_and_not_in_the_subject(
    open_office: OpenOffice, rendered: Rendered, notice: Notice
) -> None:
    mail = rendered(open_office(), ADA, notice)
    (code,) = (line for line in text_of(mail).splitlines() if re.fullmatch(r"\d{6}", line))
    html = mail.get_body(("html",))
    assert html is not None
    tree, _ = read(str(html.get_content()))
    assert tree.one("p", class_="code").text == code
    assert code not in mail["Subject"]


def test_a_link_says_how_long_it_lasts(open_office: OpenOffice, rendered: Rendered) -> None:
    mail = rendered(open_office(), ADA, Notice.RESET)
    assert "expires after 30 minutes" in text_of(mail).replace("\n", " ")
    assert "expires after 30\N{NO-BREAK SPACE}minutes" in html_of(mail)


def test_a_notice_has_the_time_with_its_time_zone(open_office: OpenOffice, rendered: Rendered) -> None:
    assert "Time: 1 March 2026, 12:00 UTC" in " ".join(text_of(rendered(open_office())).split())


@pytest.mark.parametrize("notice", Notice)
def test_each_mail_says_when_where_and_from_which_device_it_was_requested(
    open_office: OpenOffice, rendered: Rendered, notice: Notice, tmp_path: Path
) -> None:
    places = write_mmdb(
        tmp_path / "places.mmdb",
        {"192.0.2.0/24": {"city": {"names": {"en": "Kladno"}}, "country": {"iso_code": "CZ", "names": {"en": "X"}}}},
    )
    mail_portal = open_office(GEOIP_DATABASE=str(places)).seen_with(CHROME)
    for locale, rows in (
        ("en", ["Time: 1 March 2026, 12:00 UTC", "Device: Chrome on Windows", "Approximate location: Kladno, Czechia"]),
        ("cs", ["Čas: 1. března 2026 12:00 UTC", "Zařízení: Chrome, Windows", "Přibližné místo: Kladno, Česko"]),
    ):
        mail = rendered(mail_portal, ADA, notice, locale=locale)
        assert [line for line in text_of(mail).splitlines() if line in rows] == rows
        html = mail.get_body(("html",))
        assert html is not None
        tree, _ = read(str(html.get_content()))
        cells = [" ".join(cell.text for cell in row.all("td")) for row in tree.one("table", class_="rule").all("tr")]
        assert cells == ["", *(row.replace(": ", " ") for row in rows)]


def test_unknown_details_of_the_request_are_left_out(open_office: OpenOffice, rendered: Rendered) -> None:
    text = text_of(rendered(open_office().seen_with("Call 0900 123456/1.0")))
    assert "Time: 1 March 2026, 12:00 UTC" in text.splitlines()
    for unknown in ("Device", "location", "192.0.2.10", "0900", "Browser"):
        assert unknown not in text


@pytest.mark.parametrize(("header", "words"), [(CHROME, "Chrome on Windows"), ("Firefox/140.0", "Firefox")])
def test_a_device_is_described_as_far_as_it_is_known(
    open_office: OpenOffice, rendered: Rendered, header: str, words: str
) -> None:
    assert f"Device: {words}" in text_of(rendered(open_office().seen_with(header))).splitlines()


@pytest.mark.parametrize("notice", Notice)
def test_the_preview_text_of_a_mail_holds_no_code(open_office: OpenOffice, rendered: Rendered, notice: Notice) -> None:
    html = rendered(open_office(), ADA, notice).get_body(("html",))
    assert html is not None
    tree, _ = read(str(html.get_content()))
    first = tree.one("body").all("div")[0]
    assert first.get("style").startswith("max-height: 0; overflow: hidden;")
    shown = first.text.replace("\u200c", "").strip()
    assert len(shown) > 20
    assert not re.search(r"\d{6}", shown)


WITHOUT_BUTTON = {Notice.REAUTHENTICATE, Notice.ERASED} | OF_BANS
"""The first has a code, for one browser; after the others the customer need not do anything."""


@pytest.mark.parametrize("notice", sorted(set(Notice) - WITHOUT_BUTTON))
def test_each_mail_has_one_button_with_its_url_below(
    open_office: OpenOffice, rendered: Rendered, notice: Notice
) -> None:
    html = rendered(open_office(), ADA, notice).get_body(("html",))
    assert html is not None
    tree, _ = read(str(html.get_content()))
    button = tree.one("td", class_="button").one("a")
    links = tree.all("a", href=button.get("href"))
    assert [link.text for link in links] == [button.text, button.get("href")]
    if notice in (Notice.VERIFY, Notice.SIGN_IN):
        elements = list(tree)
        assert elements.index(tree.one("p", class_="code")) < elements.index(button)


@pytest.mark.parametrize("mark", LINE_ENDS)
def test_no_line_break_gets_into_a_header(mark: str) -> None:
    assert one_line(f"Shop{mark}Bcc: eve@example.com{mark}") == "Shop Bcc: eve@example.com"


@pytest.mark.parametrize(
    "name",
    [
        "Shop, Inc.",
        'The "Shop" <eve@example.com>',
        "Žluťoučký kůň, s. r. o. <eve@example.com>",
        "Long " * 40 + ", <eve@example.com>",
        "Příliš " * 36 + "@, <eve@example.com>",
        "=?utf-8?q?=0aBcc:_eve@example.com?=",
        *(f"Shop{mark}Bcc: eve@example.com" for mark in LINE_ENDS),
    ],
)
def test_the_name_of_an_organisation_cannot_change_the_sender(
    open_office: OpenOffice, rendered: Rendered, name: str
) -> None:
    mail_portal = open_office()
    with mail_portal.context.database.write() as connection:
        connection.execute(update(Organisation).values(name=name))
    mail = rendered(mail_portal)
    assert [address.addr_spec for address in mail["From"].addresses] == ["portal@localhost"]
    assert "Bcc" not in mail
    assert len(mail.keys()) == len(set(mail.keys())) == 9


def test_each_mail_is_rendered_independently(open_office: OpenOffice, rendered: Rendered) -> None:
    mail_portal = open_office()
    first, second = rendered(mail_portal, ADA, Notice.VERIFY), rendered(mail_portal, "grace@example.com", Notice.VERIFY)
    assert first["Message-ID"] != second["Message-ID"]
    assert "grace@example.com" in text_of(second)
    assert ADA not in text_of(second)
