"""The local mailbox: who can read it, and what its pages may do."""

import re
import stat
import urllib.request
from base64 import b64encode
from datetime import UTC, datetime
from email.headerregistry import Address
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.domain.outbox import Notice
from portal.mail.message import MessageContent, OutgoingMessage
from portal.mail.transport import MaildirTransport, ServerUnavailable
from tests.cli.process import serving
from tests.mail.conftest import OpenOffice
from tests.mail.mail_portal import ADA, MailPortal
from tests.mail.sink import Sink
from tests.mail.test_organisations import PNG
from tests.web.test_served import raw

pytestmark = pytest.mark.on_sqlite
MAILBOX = "/dev/mailbox"
HOST = {"Host": "127.0.0.1:5000"}
MAIL = OutgoingMessage(
    Address(addr_spec=ADA),
    Address(addr_spec="portal@localhost"),
    MessageContent("Hello", text="Hello", html="<p>Hello"),
    date=datetime(2026, 3, 1, tzinfo=UTC),
    message_id="<one@localhost>",
    headers={},
)


@pytest.fixture
def mail_portal(open_office: OpenOffice) -> MailPortal:
    """One without a mail server."""
    return open_office()


@pytest.fixture
def client(mail_portal: MailPortal) -> FlaskClient:
    return mail_portal.app.test_client()


def _get(client: FlaskClient, path: str = MAILBOX, *, peer: str = "127.0.0.1", **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers={**HOST, **named}, environ_base={"REMOTE_ADDR": peer})


def _paths(client: FlaskClient) -> list[str]:
    """The pages of all mails, as the list shows them."""
    return [unescape(path) for path in re.findall(rf'href="({MAILBOX}/[^"]+)"', _get(client).text)]


def test_an_empty_mailbox_says_so(client: FlaskClient) -> None:
    page = _get(client)
    assert page.status_code == 200
    assert "No emails yet" in page.text


def test_the_newest_mail_comes_first(mail_portal: MailPortal, client: FlaskClient) -> None:
    for recipient in ("first@example.com", "second@example.com"):
        mail_portal.queue(recipient)
        mail_portal.work()
    assert re.findall(r"(\w+)@example.com", _get(client).text) == ["second", "first"]
    assert "No emails yet" not in _get(client).text
    assert "UTC" in _get(client).text


def test_a_mail_shows_its_envelope_and_its_link_as_a_link(mail_portal: MailPortal, client: FlaskClient) -> None:
    mail_portal.queue(notice=Notice.RESET)
    mail_portal.work()
    page = _get(client, _paths(client)[0])
    assert ADA in page.text
    assert re.search(r'<a href="(http://127\.0\.0\.1:5000/password/reset/[\w.-]+)">\1</a>', page.text)
    assert f'src="{_paths(client)[0]}/html"' in page.text
    policy = page.headers["Content-Security-Policy"]
    assert policy.endswith("; frame-src 'self'")
    assert "frame-ancestors 'none'" in policy


def test_the_html_runs_nothing_loads_nothing_and_opens_links_in_the_whole_window(
    mail_portal: MailPortal, client: FlaskClient
) -> None:
    mail_portal.queue(notice=Notice.RESET)
    mail_portal.work()
    body = _get(client, _paths(client)[0] + "/html")
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
    "changed",
    [
        {"MAIL_SERVER": "mail.example.com"},
        {"BASE_URL": "http://portal.example.com"},
        {"BASE_URL": "https://192.0.2.1"},
        {"TRUSTED_PROXIES": "1"},
    ],
)
def test_there_is_no_mailbox_under_other_settings(open_office: OpenOffice, changed: dict[str, str]) -> None:
    client = open_office(**changed).app.test_client()
    assert _get(client).status_code == 404


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::1", "", "10.0.0.1"])
def test_the_mailbox_is_hidden_from_other_machines(client: FlaskClient, peer: str) -> None:
    assert _get(client, peer=peer).status_code == 404


@pytest.mark.parametrize(
    "host", ["portal.example.com", "127.0.0.1.example.com", "localhost.example.com:5000", "192.0.2.1", "[", "[::1", ""]
)
def test_the_mailbox_is_hidden_under_other_host_names(client: FlaskClient, host: str) -> None:
    assert _get(client, Host=host).status_code in (400, 404)


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:5000"])
def test_the_mailbox_is_shown_under_every_loopback_name(client: FlaskClient, host: str) -> None:
    assert _get(client, Host=host, peer="::1").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded",
        "X-Forwarded-Ssl",
        "X-Original-For",
        "X-Original-Host",
        "X-Original-Forwarded-For",
        "X-Real-IP",
        "X-Client-IP",
        "Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "CF-Ray",
        "CDN-Loop",
        "Fastly-Client-IP",
        "Fly-Client-IP",
        "Front-End-Https",
        "Proxy-Client-IP",
        "WL-Proxy-Client-IP",
        "X-Amzn-Trace-Id",
        "X-Appengine-User-IP",
        "X-Azure-ClientIP",
        "X-Cluster-Client-IP",
        "X-Envoy-External-Address",
        "X-Proxy-User-Ip",
        "X-ProxyUser-Ip",
        "X-Remote-Addr",
        "X-Scheme",
        "Via",
    ],
)
def test_the_mailbox_is_hidden_behind_a_proxy(client: FlaskClient, header: str) -> None:
    assert _get(client, **{header: "127.0.0.1"}).status_code == 404
    assert _get(client, **{header.lower(): ""}).status_code == 404


def test_a_proxy_without_headers_is_recognised_by_its_http_version(
    mail_portal: MailPortal, client: FlaskClient
) -> None:
    mail_portal.queue()
    mail_portal.work()
    (path,) = _paths(client)
    for page in (MAILBOX, path, f"{path}/html"):
        answer = client.get(page, headers=HOST, environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0"})
        assert answer.status_code == 404
        assert ADA not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "curl/8.5.0", "Accept": "*/*"},
        {"User-Agent": "Python-urllib/3.11", "Connection": "close", "Accept-Encoding": "identity"},
        {"User-Agent": "python-requests/2.32", "Connection": "keep-alive"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Upgrade-Insecure-Requests": "1", "DNT": "1"},
        {"Sec-Fetch-Site": "cross-site", "Referer": "https://docs.example.com/", "X-Requested-With": "app"},
        {
            "X-Request-ID": "1",
            "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "Viewport": "1",
        },
    ],
    ids=str,
)
def test_browsers_and_programs_on_this_machine_see_the_mailbox(client: FlaskClient, headers: dict[str, str]) -> None:
    assert _get(client, **headers).status_code == 200


def test_a_local_program_sees_the_served_mailbox_and_a_proxy_does_not(tmp_path: Path) -> None:
    with serving(tmp_path / "instance") as served:
        with urllib.request.urlopen(f"{served.url}{MAILBOX}", timeout=20) as answer:
            assert answer.status == 200
        for version, status in ((b"1.0", b"404"), (b"1.1", b"200")):
            # What nginx sends for `proxy_pass http://127.0.0.1:5000;`, and the same as a browser would.
            head = b"GET %s HTTP/%s\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n"
            answer_to = raw(served, head % (MAILBOX.encode(), version, served.port))
            assert answer_to.split(b" ")[1] == status


def test_the_conditions_hold_for_every_page(mail_portal: MailPortal, client: FlaskClient) -> None:
    mail_portal.queue()
    mail_portal.work()
    (path,) = _paths(client)
    for page in (path, f"{path}/html"):
        assert _get(client, page).status_code == 200
        assert _get(client, page, peer="192.0.2.1").status_code == 404


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
def test_a_key_never_becomes_a_path(mail_portal: MailPortal, client: FlaskClient, key: str) -> None:
    mail_portal.queue()
    mail_portal.work()
    for tail in ("", "/html", "/plain"):
        assert _get(client, f"{MAILBOX}/{quote(key, safe='%')}{tail}").status_code == 404
        assert _get(client, f"{MAILBOX}/{key}{tail}").status_code == 404


def test_other_users_of_the_machine_cannot_read_the_mailbox(mail_portal: MailPortal) -> None:
    mail_portal.queue()
    mail_portal.work()
    mailbox = mail_portal.settings.instance_path / "mailbox"
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


def test_a_logo_is_shown_where_it_stands(mail_portal: MailPortal, client: FlaskClient) -> None:
    mail_portal.change_organisation(logo=PNG, logo_type="image/png")
    mail_portal.queue()
    mail_portal.work()
    html = _get(client, _paths(client)[0] + "/html").text
    assert f'src="data:image/png;base64,{b64encode(PNG).decode()}"' in html
    assert "cid:" not in html


def test_all_mails_are_deleted_by_a_form_with_its_token_only(mail_portal: MailPortal, client: FlaskClient) -> None:
    mail_portal.queue()
    mail_portal.work()
    token = re.search(
        r'action="/dev/mailbox">\s*<input type="hidden" name="csrf_token" value="([^"]+)"', _get(client).text
    )
    assert token is not None
    here = {"headers": HOST, "environ_base": {"REMOTE_ADDR": "127.0.0.1"}}
    assert client.post(MAILBOX, data={"csrf_token": "forged"}, **here).status_code == 400
    assert len(_paths(client)) == 1
    assert client.post(MAILBOX, data={"csrf_token": token[1]}, headers={"Host": "portal.example.com"}).status_code in (
        400,
        404,
    )
    assert len(_paths(client)) == 1
    answer = client.post(MAILBOX, data={"csrf_token": token[1]}, **here)
    assert (answer.status_code, answer.location) == (302, MAILBOX)
    assert _paths(client) == []


LINKED = 'href="/dev/mailbox" target="_blank"'


@pytest.mark.parametrize("path", ["/register/code", "/login/code"])
def test_pages_that_mention_an_email_link_to_the_local_mailbox(
    open_office: OpenOffice, client: FlaskClient, path: str
) -> None:
    assert LINKED in _get(client, path).text
    assert LINKED not in _get(client, path, peer="192.0.2.1").text
    assert LINKED not in _get(client, path, Host="portal.example.com").text
    assert LINKED not in _get(client, path, X_Forwarded_For="192.0.2.1").text
    assert LINKED not in _get(open_office(MAIL_SERVER="mail.example.com").app.test_client(), path).text
