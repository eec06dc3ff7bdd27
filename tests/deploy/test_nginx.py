"""deploy/nginx/portal.conf in front of two portals: the file itself, with ports and certificates of the test."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from threading import Event, Thread
from time import sleep

import pytest

from tests.cli.process import wait_until
from tests.deploy.nginx import find_nginx, find_openssl
from tests.deploy.proxied import HOST, Answer, ProxiedPortals, build
from tests.long_tests import LONG

pytestmark = [
    pytest.mark.skipif(find_nginx() is None or find_openssl() is None, reason="no nginx or no openssl here"),
    pytest.mark.full,
]

ROUNDS = 20 if LONG else 2
"""The number of rolling restarts."""


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedPortals]:
    """Two portals, and a proxy without rate limits."""
    with build(tmp_path_factory.mktemp("proxied"), portals=2, rate="rate=2000r/s", burst="burst=2000") as proxied:
        yield proxied


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedPortals]:
    """One portal, and a proxy with low rate limits; a test may stop the portal."""
    with build(tmp_path_factory.mktemp("tight"), portals=1, rate="rate=12r/m", burst="burst=1") as proxied:
        yield proxied


def test_pages_come_over_tls_with_secure_cookies(proxied: ProxiedPortals) -> None:
    answer = proxied.ask("GET", "/login")
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert answer.headers["Set-Cookie"].startswith("__Host-portal=")
    assert "; Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Server"] == "nginx"


def test_a_form_works_through_the_proxy(proxied: ProxiedPortals) -> None:
    assert proxied.sign_in_wrongly() == 422


def test_plain_http_leads_to_https(proxied: ProxiedPortals) -> None:
    answer = proxied.ask("GET", "/login?next=/account", tls=False)
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{HOST}/login?next=/account")


def test_the_api_is_refused_over_plain_http(proxied: ProxiedPortals) -> None:
    answer = proxied.ask("POST", "/api/v1/customer/login?apiKey=x", "{}", tls=False)
    assert answer.status == 403
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body)["error"]["code"] == "FORBIDDEN"


def test_a_large_body_stops_at_the_proxy(proxied: ProxiedPortals) -> None:
    usual = proxied.ask("GET", "/login")
    page = proxied.ask("POST", "/login", "x" * 100_000)
    assert page.status == 413
    assert "write less" in page.body
    answer = proxied.ask("POST", "/api/v1/customer/login", "x" * 100_000)
    assert (answer.status, answer.headers["Content-Type"]) == (413, "application/json")
    assert json.loads(answer.body)["error"]["code"] == code_of_the_portal(proxied, 413)
    for told in (page, answer):
        assert_safe(told, usual)
        assert "Retry-After" not in told.headers


def assert_safe(answer: Answer, usual: Answer) -> None:
    """Check that a response of the proxy has the headers of the portal's, and a policy that allows no loading or
    sending.
    """
    for name in ("Cache-Control", "Referrer-Policy", "Strict-Transport-Security", "X-Content-Type-Options"):
        assert answer.headers.get_all(name) == usual.headers.get_all(name) == [usual.headers[name]], name
    policy = answer.headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"


def code_of_the_portal(proxied: ProxiedPortals, status: int) -> str:
    """Return the portal's own words for a failure that the proxy reports."""
    with closing(http.client.HTTPConnection("127.0.0.1", proxied.upstreams[0].port, timeout=30)) as connection:
        headers = {"X-Forwarded-Proto": "https", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/customer/login", "x" * 100_000, headers)
        answer = connection.getresponse()
        assert answer.status == status
        code: str = json.loads(answer.read())["error"]["code"]
    return code


def test_the_api_has_a_higher_rate_limit_than_pages(tight: ProxiedPortals) -> None:
    pages = [tight.ask("GET", "/login") for _ in range(4)]
    assert [page.status for page in pages] == [200, 200, 429, 429]
    assert "Wait a moment" in pages[3].body
    assert pages[3].headers["Retry-After"] == "2"
    assert_safe(pages[3], pages[0])
    answers = [tight.ask("POST", "/api/v1/customer/login", "{}", Content_Type="application/json") for _ in range(8)]
    assert {json.loads(answer.body)["error"]["code"] for answer in answers} == {"PUBLIC_API_KEY_IS_EMPTY"}


def test_without_a_portal_browsers_get_a_page_and_programs_json(tight: ProxiedPortals) -> None:
    usual = tight.ask("POST", "/api/v1/customer/login", "{}", Content_Type="application/json")
    for upstream in tight.upstreams:
        upstream.kill()
    page = tight.ask("GET", "/login")
    for _ in range(30):
        if page.status != 429:  # until the requests of the test before no longer count
            break
        sleep(1)
        page = tight.ask("GET", "/login")
    assert (page.status, page.headers["Retry-After"]) == (503, "5")
    assert "Back in a moment" in page.body
    answer = tight.ask("GET", "/api/v1/customer/get-account-info")
    assert (answer.status, answer.headers["Content-Type"]) == (503, "application/json")
    assert json.loads(answer.body)["error"]["code"] == "SERVICE_UNAVAILABLE"
    for told in (page, answer):
        assert_safe(told, usual)


def test_a_client_cannot_forge_its_ip_address(proxied: ProxiedPortals) -> None:
    """The mailbox is shown to this machine only, which no visitor of a proxy is on."""
    answer = proxied.ask("GET", "/dev/mailbox", X_Forwarded_For="127.0.0.1", Forwarded="for=127.0.0.1")
    assert answer.status == 404


def test_a_rolling_restart_fails_no_request(proxied: ProxiedPortals) -> None:
    """Restart each portal in turn, several times, while customers sign in."""
    ended, seen = Event(), list[int]()

    def keep_asking() -> None:
        while not ended.is_set():
            seen.append(proxied.sign_in_wrongly())

    customers = [Thread(target=keep_asking) for _ in range(3)]
    for customer in customers:
        customer.start()
    try:
        for upstream in proxied.upstreams * ROUNDS:
            before = len(seen)
            assert upstream.end() == 0
            upstream.start()
            wait_until(lambda before=before: len(seen) > before)  # type: ignore[misc] # mypy cannot infer such a lambda
    finally:
        ended.set()
        for customer in customers:
            customer.join()
    assert set(seen) == {422}
