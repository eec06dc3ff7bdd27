"""More forms at once than the portal can handle: pages do not wait behind them, and no form waits for long."""

import http.client
import json
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.cli.process import PATIENCE_SECONDS, serving, wait_until
from tests.cli.test_metrics import scrape
from tests.server.test_ending import COSTLY, patched, signing_in
from tests.servers.processes import free_port

ONE_THREAD = patched(
    "from portal.cli import serve; from portal.server import lifecycle\n"
    "serve.FORM_THREADS = 1; lifecycle.QUEUE_SECONDS = 0"
)
"""One form is handled, and one waits."""
IMPATIENT = patched(
    "from portal.cli import serve; from portal.server import connection\n"
    "serve.FORM_THREADS = 1; connection.WAIT_SECONDS = 0.3"
)
"""One form is handled, and others wait, but not as long as the first takes."""
SECOND_HASH = {**COSTLY, "ARGON2_TIME_COST": "100"}
"""Argon2 parameters with which a hash takes about a second."""


def test_more_forms_than_may_wait_are_refused_at_once_and_pages_do_not_wait(tmp_path: Path) -> None:
    metrics = free_port()
    with serving(tmp_path / "instance", program=ONE_THREAD, METRICS_PORT=str(metrics), **SECOND_HASH) as served:
        shop = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE_SECONDS)
        with closing(shop), ExitStack() as stack:
            (first,) = stack.enter_context(signing_in(served, 1))
            wait_until(lambda: scrape(metrics)["portal_hashes_waiting"] == 1)
            (second,) = stack.enter_context(signing_in(served, 1))
            wait_until(lambda: scrape(metrics)["portal_forms_waiting"] == 1)
            shop.request("POST", "/api/v1/customer/login", "{}", {"Content-Type": "application/json"})
            told = shop.getresponse()
            assert (told.status, told.getheader("Retry-After")) == (503, "2")
            assert json.loads(told.read())["error"]["code"] == "SERVICE_UNAVAILABLE"
            (third,) = stack.enter_context(signing_in(served, 1))
            refused = third.getresponse()
            assert (refused.status, refused.getheader("Retry-After")) == (503, "2")
            assert b"Please try again in a few seconds." in refused.read()
            assert first.getresponse().status == second.getresponse().status == 422
        served.process.terminate()
        assert served.end() == 0
        assert served.complaints() == []
    lines = [json.loads(line) for line in served.log.read_text().splitlines() if line.startswith("{")]
    answered = [(line["method"], line["route"], line["status"]) for line in lines if line["logger"] == "portal.access"]
    page, refusal = ("GET", "/login", 200), ("POST", "-", 503)
    signed_in = ("POST", "/login", 422)
    assert answered[-7:] == [page, page, refusal, page, refusal, signed_in, signed_in]
    assert len([line for line in lines if line["logger"] == "portal.events"]) == 2, "nothing was done for the others"


@pytest.mark.full
def test_a_form_that_has_waited_too_long_is_refused(tmp_path: Path) -> None:
    """As when another process keeps the database locked, so that each form takes long before it fails."""
    with (
        serving(tmp_path / "instance", program=IMPATIENT, **SECOND_HASH) as served,
        signing_in(served, 1) as (first,),
        signing_in(served, 1) as (second,),
    ):
        assert first.getresponse().status == 422
        refused = second.getresponse()
        assert (refused.status, refused.getheader("Retry-After")) == (503, "2")
