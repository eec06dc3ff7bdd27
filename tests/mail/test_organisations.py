"""Emails of several organisations: each has its own sender, and none waits for those of another."""

import logging
from datetime import timedelta

import pytest
from sqlalchemy import insert

from portal.domain.outbox import Notice
from portal.storage.models import Organisation
from tests.conftest import MovableClock
from tests.mail.conftest import OpenOffice
from tests.mail.mail_portal import ADA, MailPortal
from tests.mail.sink import Sink, Stage


def _add_second(mail_portal: MailPortal) -> int:
    values = {
        "slug": "second",
        "name": "Second",
        "sender": "mail@second.example.com",
        "created_at": mail_portal.context.clock(),
    }
    with mail_portal.context.database.write() as connection:
        return connection.execute(insert(Organisation).returning(Organisation.c.id), values).scalar_one()


def test_its_sender_stands_in_the_mail_and_on_the_envelope(mail_portal: MailPortal, sink: Sink) -> None:
    mail_portal.queue_raw(organisation_id=_add_second(mail_portal))
    mail_portal.queue()
    mail_portal.work()
    ours, defaults = sink.messages
    assert (ours["From"], ours.envelope.sender) == ("Second <mail@second.example.com>", "mail@second.example.com")
    assert (defaults["From"], defaults.envelope.sender) == ("Customer portal <portal@localhost>", "portal@localhost")


def test_the_message_id_has_the_portals_host_for_every_sender(mail_portal: MailPortal, sink: Sink) -> None:
    mail_portal.change_organisation(hostname="login.example.com")
    mail_portal.queue()
    mail_portal.work()
    assert sink.messages[0]["Message-ID"].endswith("@[127.0.0.1]>")


@pytest.mark.parametrize("code", ["550 5.7.1 you may not send as that", "553 5.7.1 not yours"])
def test_a_refused_sender_of_one_organisation_delays_no_other(
    mail_portal: MailPortal, sink: Sink, clock: MovableClock, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    refused = mail_portal.queue_raw(organisation_id=_add_second(mail_portal))
    sink.script[Stage.MAIL] = code
    assert mail_portal.work() == 0, "the worker pauses for all"
    row = mail_portal.row(refused)
    assert (row.state, row.attempts, row.reason) == ("queued", 1, code)
    assert "rejects the sender of second" in caplog.text
    assert [record.levelname for record in caplog.records if record.levelno >= logging.ERROR] == ["ERROR"]
    sink.script.clear()
    mail_portal.queue()
    mail_portal.work()
    assert [received["From"].addresses[0].display_name for received in sink.messages] == ["Customer portal"]
    clock.advance(timedelta(seconds=15))
    mail_portal.work()
    assert mail_portal.row(refused).state == "sent"


@pytest.mark.parametrize("code", ["530 5.7.0 log in first", "535 5.7.8 wrong password"])
def test_a_refused_login_pauses_mails_of_all_organisations(mail_portal: MailPortal, sink: Sink, code: str) -> None:
    mail = mail_portal.queue_raw(organisation_id=_add_second(mail_portal))
    sink.script[Stage.MAIL] = code
    assert mail_portal.work() > 0
    assert (mail_portal.row(mail).state, mail_portal.row(mail).attempts) == ("queued", 0)


@pytest.mark.parametrize(
    ("asked", "of_organisation", "spoken"),
    [
        (None, "cs-CZ", "cs"),
        ("xx", "cs", "cs"),
        ("en", "cs", "en"),
        ("cs-CZ", "en", "cs"),
        ("xx", "yy", "en"),
        (None, None, "en"),
    ],
)
def test_a_mail_in_an_unsupported_language_is_in_the_organisations(
    mail_portal: MailPortal, sink: Sink, asked: str | None, of_organisation: str | None, spoken: str
) -> None:
    mail_portal.change_organisation(locale=of_organisation)
    mail_portal.queue_raw(locale=asked)
    mail_portal.work()
    assert sink.messages[0]["Content-Language"] == spoken


WITHOUT_LINK = {Notice.REAUTHENTICATE, Notice.BANNED, Notice.UNBANNED, Notice.ERASED}


@pytest.mark.parametrize("notice", Notice)
def test_its_mails_have_its_colour_readable_in_the_light_and_in_the_dark(
    mail_portal: MailPortal, sink: Sink, notice: Notice
) -> None:
    mail_portal.change_organisation(accent="#ffcc00")
    mail_portal.queue(ADA, notice)
    mail_portal.work()
    _, html = sink.messages[0].iter_parts()
    content = str(html.get_content())
    assert ".link { color: #ffcc00 !important; }" in content
    assert 'style="color: #846a00;"' in content or notice in WITHOUT_LINK
    assert "#0d5f5b" not in content
    assert "#7bd3c4" not in content


@pytest.mark.parametrize("notice", [Notice.VERIFY, Notice.RESET, Notice.SIGN_IN, Notice.ACCOUNT_EXISTS])
def test_every_url_in_a_mail_is_at_its_host(open_office: OpenOffice, sink: Sink, notice: Notice) -> None:
    mail_portal = open_office(sink, BASE_URL="https://portal.example.com:8443")
    mail_portal.change_organisation(hostname="login.shop.example")
    mail_portal.queue(ADA, notice)
    mail_portal.work()
    content = "".join(str(part.get_content()) for part in sink.messages[0].iter_parts())
    assert "https://login.shop.example:8443/" in content
    assert "portal.example.com" not in content


PNG = b"\x89PNG\r\n\x1a\n and what follows"


def test_a_logo_may_have_20_kib(mail_portal: MailPortal, sink: Sink) -> None:
    mail_portal.change_organisation(logo=PNG.ljust(20 * 1024), logo_type="image/png")
    mail_portal.queue()
    mail_portal.work()
    assert [part.get_content_type() for part in sink.messages[0].walk()].count("image/png") == 1


def test_its_logo_is_attached_to_the_mail_and_not_remote(mail_portal: MailPortal, sink: Sink) -> None:
    mail_portal.change_organisation(logo=PNG, logo_type="image/png")
    mail_portal.queue(notice=Notice.RESET)
    mail_portal.work()
    text, related = sink.messages[0].iter_parts()
    html, logo = related.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert (logo.get_content_type(), logo.get_content(), logo["Content-ID"]) == ("image/png", PNG, "<logo>")
    assert '<img class="logo" src="cid:logo" alt=""' in html.get_content()
    assert "https://" not in html.get_content()


@pytest.mark.parametrize(
    ("logo", "logo_type"),
    [
        (None, None),
        (b"<svg/>", "image/svg+xml"),
        (b"RIFF....WEBP", "image/webp"),
        (PNG.ljust(20 * 1024 + 1), "image/png"),
    ],
    ids=["none", "svg", "webp", "large"],
)
def test_without_a_logo_that_mail_clients_show_a_mail_has_the_portals_logo(
    mail_portal: MailPortal, sink: Sink, logo: bytes | None, logo_type: str | None
) -> None:
    mail_portal.change_organisation(logo=logo, logo_type=logo_type)
    mail_portal.queue(notice=Notice.RESET)
    mail_portal.work()
    text, html = sink.messages[0].iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert 'class="mark"' in html.get_content()
