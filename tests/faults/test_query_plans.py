"""No statement of a request or of the mail worker reads a whole table that grows with the customers.

On PostgreSQL a statement has a timeout, on SQLite it has none. SQLite's plans do not depend on the number of rows
unless ANALYZE is run, so the plans for a single customer are checked.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from urllib.parse import urlencode, urlsplit

import pyotp
import pytest
from flask import Flask, request, request_started
from sqlalchemy import event

from portal.domain.operations.mail_queue import queued_mails
from portal.storage.models import METADATA
from tests.api.shop import new_shop
from tests.passkeys import Authenticator
from tests.web.authenticator import SETTINGS, pass_step, set_up
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.framing import NONCE, SHOP, Framed, allow
from tests.web.passkeys.steps import LIST as PASSKEYS
from tests.web.passkeys.steps import add, ask
from tests.web.passkeys.steps import sign_in as sign_in_with_passkey
from tests.web.post import code_in, not_me_link_in

pytestmark = pytest.mark.on_sqlite

EMAIL, SECOND, SHOPPER = "ada@example.com", "bob@example.com", "eve@example.com"
NEW_PASSWORD, NEWEST_PASSWORD = "gravel mitten orchard 87", "cinder ballot marrow 63"
LAST_PASSWORD = "walnut kettle heron 52"
FEW = {"organisation", "api_key"}
"""Tables that do not grow with the customers."""
WHOLE = re.compile(r"(?:SCAN|SEARCH(?=.*\(organisation_id=\?\)$)) (\w+)")
"""Steps that read a table, or perhaps most of it: the customers of one organisation."""
OUR_OWN = "SELECT outbox.message_id"
"""The columns that emails are ordered by."""
NO_QUERY = {"embedding.script", "mailbox.body", "mailbox.clear", "mailbox.index", "mailbox.message", "static"}
"""Endpoints that answer without the database."""


class Noted:
    """The statements that were sent with their parameters, and the endpoints that were requested."""

    def __init__(self, site: Site) -> None:
        self.statements: dict[str, Any] = {}
        self.endpoints: set[str] = set()
        self._engine = site.context.database.engine
        self._app = site.app

    @contextmanager
    def during(self) -> Iterator[None]:
        event.listen(self._engine, "before_cursor_execute", self._note)
        with request_started.connected_to(self._visit, self._app):
            yield
        event.remove(self._engine, "before_cursor_execute", self._note)

    def plans(self) -> Iterator[tuple[str, str]]:
        """Yield each step of a statement's plan, and the statement."""
        with self._engine.connect() as connection:
            for statement, parameters in self.statements.items():
                for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
                    yield step, statement

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")) and not statement.startswith(OUR_OWN):
            self.statements.setdefault(statement, parameters)

    def _visit(self, _app: Flask, **_more: Any) -> None:
        self.endpoints.add(request.endpoint or "")


def test_no_request_and_no_mail_scans_a_whole_table(start: Start) -> None:
    site = allow(start(BASE_URL="https://portal.example.com"))
    site._worker._purged_at = monotonic()  # it may read whole tables, since no request waits for it
    noted = Noted(site)
    with noted.during():
        do_everything(site)
        with site.context.database.read() as connection:
            queued_mails(connection, site.context.clock)  # at each scrape
    assert {rule.endpoint for rule in site.app.url_map.iter_rules()} - NO_QUERY <= noted.endpoints
    assert len(noted.statements) > 50
    growing = set(METADATA.tables) - FEW
    read = ((WHOLE.match(step), step + statement) for step, statement in noted.plans())
    assert [statement for found, statement in read if found and found[1] in growing] == []


def do_everything(site: Site) -> None:
    """Do once everything that customers and a shop's server can do, with success and without."""
    register(site)
    sign_in_and_out(site)
    log_in_by_email(site)
    change_address(site)
    reset(site)
    report_not_me(site)
    use_api(site)
    close_account(site)
    browser = site.browser()
    pictures = ("/organisation/logo", "/organisation/cover")
    for path in ("/", "/organisation.css", *pictures, "/themed/dark.css", "/readyz", "/healthz"):
        browser.send(path)
    token = browser.open("/register").form().token
    browser.send("/password/strength", "POST", data={"csrf_token": token, "password": PASSWORD})
    browser.send("/.well-known/change-password")


def open_and_reload(site: Site, link: str, clean_path: str) -> None:
    """Open the link of an email, and reload its page at the address that shows no token."""
    browser = site.browser()
    browser.open(link)
    assert browser.send(clean_path).status == 200


def register(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)  # a known customer
    browser.register(SECOND, PASSWORD)
    open_and_reload(site, site.link(SECOND), "/register/confirm")
    browser.post(browser.open("/register/code").form("/register/resend"))
    for code, status in (("000000", 422), (code_in(site.mails(SECOND)[-1]), 302)):
        assert browser.fill("/register/code", {"code": code}, submit_to="/register/code").status == status


def sign_in_and_out(site: Site) -> None:
    framed = Framed(site.app, base_url=site.settings.base_url)
    framed.sign_in(EMAIL, "wrong")
    framed.sign_in("nobody@example.com", PASSWORD)
    page = framed.follow(framed.sign_in(EMAIL, PASSWORD))
    told = framed.send("/handover", "POST", data={"csrf_token": page.form("/logout").token, "nonce": NONCE})
    assert new_shop(site).post("redeem-handover", code=told.json["code"], nonce=NONCE).json["success"]
    framed.post(page.form("/logout"))
    browser = signed_in(site, PASSWORD)
    browser.post(browser.open("/account").form("/language"), {"language": "cs"})
    came = browser.open(f"/login?{urlencode({'return_url': f'{SHOP}/welcome', 'nonce': NONCE})}")
    assert browser.post(came.form("/continue")).location.startswith(f"{SHOP}/welcome?code=")
    use_account(site, browser)
    use_two_step(site)
    use_passkeys(site)
    typed = {"current_password": PASSWORD, "password": NEW_PASSWORD}
    assert browser.fill("/account/password", typed, submit_to="/account/password").status == 302


def use_account(site: Site, browser: Browser) -> None:
    for path in ("/account", "/account/security", "/account/activity", "/account/activity?before=5"):
        assert browser.send(path).status == 200
    names = {"first_name": "Augusta", "last_name": "King"}
    assert browser.fill("/account/profile", names, submit_to="/account/profile").status == 302
    for _ in range(2):
        signed_in(site, PASSWORD)
    page = browser.open("/account/sessions")
    ends = [form for form in page.forms if form.action.endswith(("/end", "/end-others"))]
    for form in (ends[0], ends[-1]):
        assert browser.post(form).status == 302
    page = browser.open("/reauthenticate")
    asked = browser.follow(browser.post(page.form("/reauthenticate/email")))
    code = {"code": code_in(site.mails(EMAIL)[-1])}
    assert browser.post(asked.form("/reauthenticate/code"), code).status == 302
    assert browser.post(page.form("/reauthenticate"), {"password": PASSWORD}).status == 302


def use_two_step(site: Site) -> None:
    browser = signed_in(site, PASSWORD)
    phone = set_up(site, browser)
    other = signed_in(site, PASSWORD)
    for code, status in (("12345", 422), (phone.recovery_codes[0], 302)):
        assert pass_step(other, code, trust="y").status == status
    other.sign_out()
    other.sign_in(EMAIL, PASSWORD)
    step, next_code = "/reauthenticate/two-step", pyotp.TOTP(phone.secret).at(datetime.now(UTC) + timedelta(seconds=30))
    assert other.fill("/reauthenticate", {"code": next_code}, submit_to=step).status == 302
    page = other.open(SETTINGS)
    for action, status in (("forget-browsers", 302), ("recovery-codes", 200), ("off", 302)):
        assert other.post(page.form(f"{SETTINGS}/{action}")).status == status


def use_passkeys(site: Site) -> None:
    browser, keys = signed_in(site, PASSWORD), Authenticator(site.settings.base_url)
    assert add(browser, keys).status == 302
    assert sign_in_with_passkey(site.browser(), keys).status == 302
    step = "/reauthenticate/passkey"
    page = browser.open("/reauthenticate")
    asked = ask(browser, step, page)
    sent = {"credential": keys.get(asked["options"]), "challenge": asked["challenge"]}
    assert browser.send(step, "POST", data={**page.form("/reauthenticate").fields, **sent}).status == 302
    paths = [link.get("href") for link in browser.open(PASSKEYS).tree.all("a") if PASSKEYS in link.get("href")]
    for path in sorted(path for path in paths if path.endswith(("/rename", "/remove")))[::-1]:
        assert browser.fill(path, {"name": "Blue"} if path.endswith("rename") else {}, submit_to=path).status == 302
    assert sign_in_with_passkey(site.browser(), keys).status == 422


def signed_in(site: Site, password: str) -> Browser:
    browser = site.browser()
    assert browser.sign_in(EMAIL, password).status == 302
    return browser


def log_in_by_email(site: Site) -> None:
    browser = site.browser()
    browser.fill("/login/link", {"email": EMAIL})
    for code, status in (("000000", 422), (code_in(site.mails(EMAIL)[-1]), 302)):
        assert browser.fill("/login/code", {"code": code}, submit_to="/login/code").status == status
    other = site.browser()
    other.fill("/login/link", {"email": EMAIL})
    open_and_reload(site, site.link(EMAIL), "/login/confirm")
    assert other.fill(site.link(EMAIL)).status == 302


def change_address(site: Site) -> None:
    path, new = "/account/email", "ada.new@example.com"
    browser = signed_in(site, NEW_PASSWORD)
    for email in (SECOND, new):  # one of another customer, and one without a customer
        assert browser.fill(path, {"email": email}, submit_to=path).status == 302
    browser.fill(path, submit_to=f"{path}/cancel")
    for _ in range(2):
        browser.fill(path, {"email": new}, submit_to=path)
    assert browser.fill(f"{path}/code", {"code": "000000"}, submit_to=f"{path}/code").status == 422
    open_and_reload(site, site.link(new), f"{path}/confirm")
    assert browser.fill(site.link(new)).status == 302
    assert browser.send(f"{path}/code").location == "/account"
    site.browser().register(EMAIL, PASSWORD)  # which is kept for its customer
    open_and_reload(site, site.link(EMAIL), f"{path}/undo")
    assert browser.fill(site.link(EMAIL)).status == 302


def reset(site: Site) -> None:
    browser = site.browser()
    browser.ask_for_reset(EMAIL)
    browser.open("/password/reset-sent")
    open_and_reload(site, site.link(EMAIL), "/password/new")
    for password, status in ((PASSWORD, 422), (NEWEST_PASSWORD, 302)):
        assert browser.fill(site.link(EMAIL), {"password": password}).status == status
    site.deliver()


def report_not_me(site: Site) -> None:
    site.browser("198.51.100.7").sign_in(EMAIL, NEWEST_PASSWORD)
    link = urlsplit(not_me_link_in(site.mails(EMAIL)[-1])).path
    open_and_reload(site, link, "/not-me")
    browser = site.browser()
    browser.follow(browser.fill(link))
    assert browser.fill("/password/new", {"password": LAST_PASSWORD}).location == "/account"


def close_account(site: Site) -> None:
    browser = signed_in(site, LAST_PASSWORD)
    page = browser.open("/account/data")
    assert browser.send("/account/export").status == 302
    assert browser.post(page.form("/account/export")).status == 200
    assert browser.fill("/account/delete", {"confirm": "y"}, submit_to="/account/delete").status == 302
    site.browser().register(EMAIL, PASSWORD)
    open_and_reload(site, site.link(EMAIL), "/account/keep")
    assert site.browser().fill(site.link(EMAIL)).status == 302


def use_api(site: Site) -> None:
    shop = new_shop(site)
    for _ in range(2):
        shop.post("register-account", email=SHOPPER, password=PASSWORD, groups=["vip"])
    shop.post("register-account-verify", token=site.link(SHOPPER).rpartition("/")[2])
    shop.post("login", email=SHOPPER, password="wrong", customerRealIp="203.0.113.5")
    shop.post("login", email=SHOPPER, password=PASSWORD, customerRealIp="203.0.113.5")
    identity = shop.identity(shop.post("login", email=SHOPPER, password=PASSWORD))
    reference = shop.account(identity)["cuRefNo"]
    assert shop.post("magic-auth", email="new@example.com", firstName="New", referralId=reference).json["success"]
    shop.post("reset-password", email=SHOPPER, expirationTime="3h 20m")
    shop.post("set-new-password", token=site.link(SHOPPER).rpartition("/")[2], password=NEW_PASSWORD)
    shop.post("logout", identityId=shop.identity(shop.post("login", email=SHOPPER, password=NEW_PASSWORD)))
