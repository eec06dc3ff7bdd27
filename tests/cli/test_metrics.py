"""Metrics, scraped from a portal that serves."""

import json
import logging
import re
import socket
import struct
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest

from portal.metrics import _Counting
from tests.cli.process import Served, serving, wait_until
from tests.servers.processes import free_port
from tests.web.test_served import Visitor


def scrape(port: int) -> dict[str, float]:
    """Each sample by its name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for line in lines if line[0] != "#" for name, value in [line.rsplit(" ", 1)]}


def ask(served: Served, path: str) -> None:
    try:
        urllib.request.urlopen(f"{served.url}{path}", timeout=60).close()
    except urllib.error.HTTPError as error:
        error.close()


def test_requests_are_counted(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path / "instance", METRICS_PORT=str(port)) as served:
        for _ in range(20):
            ask(served, "/login")
        ask(served, "/password/reset/a-token-that-is-none")
        found = scrape(port)
        served.process.terminate()
        assert served.end() == 0
    assert found['portal_requests_total{method="GET",route="/login",status="200"}'] == 20
    assert found['portal_requests_total{method="GET",route="/password/reset/<token>",status="404"}'] == 1
    assert found['portal_request_seconds_count{route="/login"}'] == 20
    assert found["portal_outbox_mails"] == 0
    assert found["portal_outbox_age_seconds"] == 0
    assert found["portal_hashes_waiting"] == 0
    assert found["portal_forms_waiting"] == 0
    assert not [name for name in found if "a-token" in name]


def sign_in_wrongly(served: Served) -> None:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(f"{served.url}/login", timeout=60) as page:
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.read().decode())
    assert token is not None
    typed = {"csrf_token": token[1], "email": "ada@example.com", "password": "seven tall herons wade"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        browser.open(f"{served.url}/login", urlencode(typed).encode(), timeout=60)
    refused.value.close()


@pytest.mark.full
def test_sign_ins_and_limits_are_counted(tmp_path: Path) -> None:
    port = free_port()
    cheap = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8", "LOGIN_LIMIT_ACCOUNT": "2 per hour"}
    with serving(tmp_path / "instance", METRICS_PORT=str(port), **cheap) as served:
        for _ in range(5):
            sign_in_wrongly(served)
        found = scrape(port)
    assert found['portal_events_total{kind="sign_in",result="UNKNOWN_CONTACT"}'] == 2
    assert found['portal_throttled_total{scope="login-account"}'] == 3
    assert not [name for name in found if "ada" in name]


@pytest.mark.full
def test_the_mail_queue_and_its_age_are_counted(tmp_path: Path) -> None:
    port = free_port()
    cheap = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}
    unreachable = {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(free_port())}
    with serving(tmp_path / "instance", METRICS_PORT=str(port), **cheap, **unreachable) as served:
        typed = {
            "email": "ada@example.com",
            "password": "six calm geese honk",
            "first_name": "Ada",
            "last_name": "Quill",
        }
        assert Visitor(served).fill("/register", **typed)[0] == 302
        first = scrape(port)
        assert first["portal_outbox_mails"] == 1
        wait_until(lambda: scrape(port)["portal_outbox_age_seconds"] > first["portal_outbox_age_seconds"] + 1)


@pytest.mark.full
def test_aborted_scrapes_are_not_logged_and_block_no_other(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path / "instance", METRICS_PORT=str(port)) as served, ExitStack() as silent:
        for begun in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost:"):
            for _ in range(10):
                silent.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)).sendall(begun)
            with socket.create_connection(("127.0.0.1", port), timeout=30) as broken:
                broken.sendall(begun)
                scrape(port)
                broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends with RST
        scrape(port)
        assert served.complaints() == []


@pytest.mark.full
def test_a_failed_scrape_is_logged_without_details_in_the_response(tmp_path: Path) -> None:
    port = free_port()
    code = "from portal import metrics; metrics.queued_mails = lambda *_: 1 / 0; from portal.cli import main; main()"
    program = (sys.executable, "-c", code)
    with serving(tmp_path / "instance", program=program, METRICS_PORT=str(port)) as served:
        with pytest.raises(urllib.error.HTTPError, match="500") as failed:
            scrape(port)
        assert b"Traceback" not in failed.value.read()
        wait_until(lambda: len(served.complaints()) > 0)
        (line,) = map(json.loads, served.complaints())
        assert "ZeroDivisionError" in line["traceback"]
        assert "/metrics" not in line["message"]


@pytest.mark.full
def test_metrics_do_not_name_the_server_software(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path / "instance", METRICS_PORT=str(port)):
        for asked in (b"GET /metrics HTTP/1.0\r\n\r\n", b"NONSENSE\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(asked)
                answer = connection.makefile("rb").read()
            assert b"portal_requests" in answer or b"400" in answer
            assert not re.search(rb"python|wsgi|waitress", answer, re.IGNORECASE)


@pytest.mark.full
def test_there_are_no_metrics_without_a_port(tmp_path: Path) -> None:
    with serving(tmp_path / "instance") as served:
        ask(served, "/metrics")
        wait_until(lambda: '"route": "-", "status": 404' in served.log.read_text())


@pytest.mark.parametrize("name", ["portal.access", "portal.events", "portal.throttled"])
def test_a_metric_that_cannot_be_counted_breaks_no_request(name: str) -> None:
    logger = logging.getLogger(name)
    counting = _Counting()
    logger.addHandler(counting)
    try:
        logger.warning("a line without fields")
    finally:
        logger.removeHandler(counting)
