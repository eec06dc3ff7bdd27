"""The local mailbox is shown to programs on this machine only."""

import urllib.request
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.cli.process import serving
from tests.mail.conftest import OpenOffice
from tests.mail.local_mailbox import HOST, MAILBOX, get, paths
from tests.mail.mail_portal import ADA, MailPortal
from tests.web.test_served import raw

pytestmark = pytest.mark.on_sqlite


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
    assert get(client).status_code == 404


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::1", "", "10.0.0.1"])
def test_the_mailbox_is_hidden_from_other_machines(client: FlaskClient, peer: str) -> None:
    assert get(client, peer=peer).status_code == 404


@pytest.mark.parametrize(
    "host", ["portal.example.com", "127.0.0.1.example.com", "localhost.example.com:5000", "192.0.2.1", "[", "[::1", ""]
)
def test_the_mailbox_is_hidden_under_other_host_names(client: FlaskClient, host: str) -> None:
    assert get(client, Host=host).status_code in (400, 404)


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:5000"])
def test_the_mailbox_is_shown_under_every_loopback_name(client: FlaskClient, host: str) -> None:
    assert get(client, Host=host, peer="::1").status_code == 200


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
    assert get(client, **{header: "127.0.0.1"}).status_code == 404
    assert get(client, **{header.lower(): ""}).status_code == 404


def test_a_proxy_without_headers_is_recognised_by_its_http_version(
    local_portal: MailPortal, client: FlaskClient
) -> None:
    local_portal.queue()
    local_portal.work()
    (path,) = paths(client)
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
    assert get(client, **headers).status_code == 200


def test_a_local_program_sees_the_served_mailbox_and_a_proxy_does_not(tmp_path: Path) -> None:
    with serving(tmp_path / "instance") as served:
        with urllib.request.urlopen(f"{served.url}{MAILBOX}", timeout=20) as answer:
            assert answer.status == 200
        for version, status in ((b"1.0", b"404"), (b"1.1", b"200")):
            # What nginx sends for `proxy_pass http://127.0.0.1:5000;`, and the same as a browser would.
            head = b"GET %s HTTP/%s\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n"
            answer_to = raw(served, head % (MAILBOX.encode(), version, served.port))
            assert answer_to.split(b" ")[1] == status


def test_the_conditions_hold_for_every_page(local_portal: MailPortal, client: FlaskClient) -> None:
    local_portal.queue()
    local_portal.work()
    (path,) = paths(client)
    for page in (path, f"{path}/html"):
        assert get(client, page).status_code == 200
        assert get(client, page, peer="192.0.2.1").status_code == 404
