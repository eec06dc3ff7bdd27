"""The pages of the local mailbox, and what they may do."""

import re
import stat
from base64 import b64encode
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from portal.domain.outbox import Notice
from portal.mail.message import MessageContent, OutgoingMessage
from portal.mail.transport import MaildirTransport, ServerUnavailable
from tests.mail.conftest import OpenOffice
from tests.mail.local_mailbox import HOST, MAILBOX, get, paths
from tests.mail.mail_portal import ADA, MailPortal
from tests.mail.sink import Sink
from tests.mail.test_organisations import PNG

pytestmark = pytest.mark.on_sqlite
MAIL = OutgoingMessage(
    Address(addr_spec=ADA),
    Address(addr_spec="portal@localhost"),
    MessageContent("Hello", text="Hello", html="<p>Hello"),
    date=datetime(2026, 3, 1, tzinfo=UTC),
    message_id="<one@localhost>",
    headers={},
)


def test_an_empty_mailbox_says_so(client: FlaskClient) -> None:
    page = get(client)
    assert page.status_code == 200
    assert "No emails yet" in page.text


def test_the_newest_mail_comes_first(local_portal: MailPortal, client: FlaskClient) -> None:
    for recipient in ("first@example.com", "second@example.com"):
        local_portal.queue(recipient)
        local_portal.work()
    assert re.findall(r"(\w+)@example.com", get(client).text) == ["second", "first"]
    assert "No emails yet" not in get(client).text
    assert "UTC" in get(client).text


def test_a_mail_shows_its_envelope_and_its_link_as_a_link(local_portal: MailPortal, client: FlaskClient) -> None:
    local_portal.queue(notice=Notice.RESET)
    local_portal.work()
    page = get(client, paths(client)[0])
    assert ADA in page.text
    assert re.search(r'<a href="(http://127\.0\.0\.1:5000/password/reset/[\w.-]+)">\1</a>', page.text)
    assert f'src="{paths(client)[0]}/html"' in page.text
    policy = page.headers["Content-Security-Policy"]
    assert policy.endswith("; frame-src 'self'")
    assert "frame-ancestors 'none'" in policy


def test_the_html_runs_nothing_loads_nothing_and_opens_links_in_the_whole_window(
    local_portal: MailPortal, client: FlaskClient
) -> None:
    local_portal.queue(notice=Notice.RESET)
    local_portal.work()
    body = get(client, paths(client)[0] + "/html")
    assert body.content_type == "text/html; charset=utf-8"
    assert body.headers.get_all("Content-Security-Policy") == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'; "
        "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
    ]
    assert body.text.count('<base target="_top">') == 1
    assert "_blank" not in body.text
    assert "/password/reset/" in body.text


@pytest.mark.parametrize(
    "key",
    [
        "nothing",
        "..",
        "../new",
        "..%2f..%2fportal.sqlite3",
        "%00",
        "../../portal.sqlite3",
        "cur",
        "/etc/passwd",
        "~",
        "é",
    ],
)
def test_a_key_never_becomes_a_path(local_portal: MailPortal, client: FlaskClient, key: str) -> None:
    local_portal.queue()
    local_portal.work()
    for tail in ("", "/html", "/plain"):
        assert get(client, f"{MAILBOX}/{quote(key, safe='%')}{tail}").status_code == 404
        assert get(client, f"{MAILBOX}/{key}{tail}").status_code == 404


def test_other_users_of_the_machine_cannot_read_the_mailbox(local_portal: MailPortal) -> None:
    local_portal.queue()
    local_portal.work()
    mailbox = local_portal.settings.instance_path / "mailbox"
    for path in (mailbox, *mailbox.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert sorted(path.name for path in mailbox.iterdir()) == ["cur", "new", "tmp"]
    (mail,) = (mailbox / "new").iterdir()
    assert mail.read_bytes().startswith(b"Return-Path: <portal@localhost>\nDelivered-To: ada@example.com\nFrom: ")
    assert b"\r" not in mail.read_bytes()


def test_a_mail_that_could_not_be_stored_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ServerUnavailable, match="No space left"):
        MaildirTransport(tmp_path / "mailbox").send(MAIL, "portal@localhost")
    assert [path.name for path in (tmp_path / "mailbox").rglob("*") if path.is_file()] == []


def test_with_a_mail_server_the_local_mailbox_stays_empty(open_office: OpenOffice, sink: Sink) -> None:
    mail_portal = open_office(sink)
    mail_portal.queue()
    mail_portal.work()
    assert len(sink.messages) == 1
    assert not (mail_portal.settings.instance_path / "mailbox").exists()


def test_a_logo_is_shown_where_it_stands(local_portal: MailPortal, client: FlaskClient) -> None:
    local_portal.change_organisation(logo=PNG, logo_type="image/png")
    local_portal.queue()
    local_portal.work()
    html = get(client, paths(client)[0] + "/html").text
    assert f'src="data:image/png;base64,{b64encode(PNG).decode()}"' in html
    assert "cid:" not in html


def test_all_mails_are_deleted_by_a_form_with_its_token_only(local_portal: MailPortal, client: FlaskClient) -> None:
    local_portal.queue()
    local_portal.work()
    token = re.search(
        r'action="/dev/mailbox">\s*<input type="hidden" name="csrf_token" value="([^"]+)"', get(client).text
    )
    assert token is not None
    here = {"headers": HOST, "environ_base": {"REMOTE_ADDR": "127.0.0.1"}}
    assert client.post(MAILBOX, data={"csrf_token": "forged"}, **here).status_code == 400
    assert len(paths(client)) == 1
    assert client.post(MAILBOX, data={"csrf_token": token[1]}, headers={"Host": "portal.example.com"}).status_code in (
        400,
        404,
    )
    assert len(paths(client)) == 1
    answer = client.post(MAILBOX, data={"csrf_token": token[1]}, **here)
    assert (answer.status_code, answer.location) == (302, MAILBOX)
    assert paths(client) == []


LINKED = 'href="/dev/mailbox" target="_blank"'


@pytest.mark.parametrize("path", ["/register/code", "/login/code"])
def test_pages_that_mention_an_email_link_to_the_local_mailbox(
    open_office: OpenOffice, client: FlaskClient, path: str
) -> None:
    assert LINKED in get(client, path).text
    assert LINKED not in get(client, path, peer="192.0.2.1").text
    assert LINKED not in get(client, path, Host="portal.example.com").text
    assert LINKED not in get(client, path, X_Forwarded_For="192.0.2.1").text
    assert LINKED not in get(open_office(MAIL_SERVER="mail.example.com").app.test_client(), path).text
