"""The log of failed requests, and of requests that contain secrets."""

import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest

from portal.logging_setup import JsonFormatter, TextFormatter
from tests.api.shop import Shop, new_key
from tests.cli.process import serving
from tests.web.conftest import PASSWORD, Site
from tests.web.test_served import CHEAP, Visitor, raw

pytestmark = pytest.mark.full

ODD = "\x1b[31mred\u2028\u2029\x85\u202e"
FORGED = '{"forged": true}'
EMAIL = "canary@example.com"
CANARY = "canary"


def everything(caplog: pytest.LogCaptureFixture) -> str:
    formatters: tuple[logging.Formatter, ...] = (JsonFormatter(), TextFormatter())
    return "\n".join(formatter.format(record) for record in caplog.records for formatter in formatters)


@pytest.mark.on_sqlite
def test_a_lost_database_puts_no_secret_into_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "portal")
    signed_in, browser = site.customer(EMAIL), site.browser()
    key = new_key(site)
    shop = Shop(site, key)
    token, identity = "canary" + "t" * 60, "canary" + "i" * 26
    forms = [
        (browser.open("/login").form(), {"email": EMAIL, "password": f"{CANARY} wrong"}),
        (browser.open("/register").form(), {"email": EMAIL, "password": PASSWORD, "first_name": "Canary"}),
        (browser.open("/password/reset").form(), {"email": EMAIL}),
        (browser.open("/login/link").form(), {"email": EMAIL}),
        (signed_in.open("/account/password").form(), {"current_password": PASSWORD, "password": f"{CANARY} new"}),
    ]
    device = str(signed_in.cookie("device"))
    secrets = (CANARY, "Canary", PASSWORD, key, device, str(signed_in.cookie())[:20])
    file = Path(str(site.context.database.engine.url.database))
    moved = file.rename(file.with_name("moved"))
    caplog.clear()
    statuses = {browser.post(form, typed).status for form, typed in forms[:4]}
    statuses.add(signed_in.post(*forms[4]).status)
    statuses |= {
        browser.send(path + token).status
        for path in ("/password/reset/", "/login/link/", "/register/verify/", "/not-me/")
    }
    statuses.add(signed_in.send("/account").status)
    statuses |= {
        shop.post("login", email=EMAIL, password=PASSWORD).status,
        shop.post("logout", identityId=identity).status,
        shop.ask("GET", "get-account-info", query={"identityId": identity, "apiKey": key}).status,
        shop.post("set-new-password", token=token, newPassword=PASSWORD).status,
    }
    moved.rename(file)
    log = everything(caplog)
    assert log.count("unable to open") >= 5
    assert 503 in statuses
    assert not any(secret in log for secret in secrets)


def test_each_log_record_is_one_line_of_json_for_any_request(tmp_path: Path) -> None:
    with serving(tmp_path / "instance", **CHEAP) as served:
        visitor, agent = Visitor(served), ODD.encode()
        for typed in (f"ada{ODD}@example.com", f"ada@example.com\r\n{FORGED}", f"ada@example.com\u2028{FORGED}"):
            assert visitor.fill("/login", email=typed, password=typed)[0] == 422
        path = quote(f"/login/{ODD}\r\n{FORGED}").encode()
        for line in (
            b"GET /login HTTP/1.1\r\nUser-Agent: " + agent,
            b"GET " + path + b" HTTP/1.1\r\nX: y",
            b"GET /" + agent + b" HTTP/1.1\r\nX: y",
            b"G\x1b[31mT / HTTP/1.1\r\nX: y",
            b"GET / HTTP/1.1\r\nX" + agent + b": y\r\n " + FORGED.encode(),
            b"GET / HTTP/1.1\nX: y\n" + FORGED.encode() + b"\n",
        ):
            assert raw(served, line + b"\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 ")
        served.process.terminate()
        assert served.end() == 0
        log = served.log.read_bytes()
    entries = [json.loads(line) for line in log.splitlines()]
    assert [entry["status"] for entry in entries if entry.get("route") == "/login"].count(422) == 3
    assert not any(entry.get("forged") for entry in entries)
    assert log.isascii()
    assert not any(character < 0x20 and character != 0x0A for character in log)
