"""Error pages for every kind of failure."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import event, text

from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page, assert_headers, assert_page
from tests.web.flood import SIGN_INS, flood

EMAIL = "ada@example.com"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(site: Site, statement: str) -> None:
    """Change the database without the portal."""
    with site.context.database.write() as connection:
        connection.execute(text(statement))


def test_an_unknown_address_is_a_404(site: Site) -> None:
    for path in ("/none", "/login/", "/register/verify/", "/static/none.css", "/account/none"):
        assert_error_page(site.browser().open(path), 404)


def test_a_wrong_method_is_a_405_that_names_the_right_ones(site: Site) -> None:
    for path, methods in (("/logout", {"GET", "HEAD", "POST", "OPTIONS"}), ("/password/strength", {"POST", "OPTIONS"})):
        page = site.browser().send(path, "DELETE")
        assert_error_page(page, 405)
        assert set(page.headers["Allow"].split(", ")) == methods


def test_a_cross_site_request_is_a_400(site: Site) -> None:
    assert_page(site.browser().send("/login", "POST", headers={"Origin": "https://evil.example"}), 400)


def test_a_post_without_a_token_is_a_400(site: Site) -> None:
    assert_page(site.browser().send("/login", "POST"), 400)


def test_a_body_that_is_too_large_is_a_413(site: Site) -> None:
    assert_error_page(site.browser().send("/login", "POST", data={"password": "x" * 1_000_000}), 413)


def ways_on(page: Page) -> list[str]:
    """Return the targets of a page's links, the most useful first."""
    return [link.get("href") for link in page.tree.one("main").all("a")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/password/reset/none", ["/password/reset", "/login"]),
        ("/login/link/none", ["/login/link", "/login"]),
        ("/register/verify/none", ["/login", "/register"]),
    ],
)
def test_the_page_of_an_invalid_link_offers_a_new_one(site: Site, path: str, expected: list[str]) -> None:
    page = site.browser().open(path)

    assert_error_page(page, 404)
    assert page.tree.one("h1").text == "This link doesn't work"
    assert "Copy all of it" in page.words
    assert ways_on(page) == expected


def test_the_page_of_a_used_link_leads_to_the_next_step(site: Site) -> None:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    confirmation = site.link(EMAIL)
    browser.fill(confirmation)
    browser.ask_for_reset(EMAIL)
    reset = site.link(EMAIL)
    browser.fill(reset, {"password": "nine grey otters swim"})

    for link, expected, title, icon in (
        (confirmation, ["/login", "/password/reset"], "Your email address is already confirmed", "circle-check"),
        (reset, ["/password/reset", "/login"], "This link no longer works", "unlink"),
    ):
        page = site.browser().open(link)
        assert_error_page(page, 410)
        assert page.tree.one("h1").text == title
        assert len(page.tree.one("main").all("svg", data_icon=icon)) == 1
        assert ways_on(page) == expected


def test_the_page_of_an_expired_confirmation_link_offers_to_resend_the_email(site: Site) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        browser = site.browser()
        browser.register(EMAIL, PASSWORD)
        link = site.link(EMAIL)
        clock.shift(timedelta(hours=25))

        page = browser.open(link)
        assert_error_page(page, 410)
        assert page.tree.one("h1").text == "This link has expired"
        assert ways_on(page) == ["/register/code", "/login"]
        assert ways_on(site.browser().open(link)) == ["/login", "/register"]
        assert browser.follow(browser.fill("/register/code", submit_to="/register/resend")).status == 200
        assert browser.open(site.link(EMAIL)).status == 200


def test_an_error_page_links_to_the_account_when_signed_in(site: Site) -> None:
    assert ways_on(site.browser().open("/none")) == ["/login"]
    assert ways_on(site.customer(EMAIL).open("/none")) == ["/account"]


@pytest.mark.on_sqlite  # which does not change a value that is no date
def test_a_temporary_error_can_be_retried_on_the_same_page(site: Site) -> None:
    browser = site.customer(EMAIL)
    run(site, "UPDATE contact SET confirmed_at = 'no date at all'")
    assert ways_on(site.browser().sign_in(EMAIL, PASSWORD)) == ["/login", "/login"]

    run(site, "DROP TABLE identity")
    assert ways_on(browser.open("/account?x=1"))[0] == "/account?x=1"
    assert ways_on(browser.open("/account?\\evil.example")) == ["/login"]


def test_too_many_wrong_links_are_a_429_that_says_when_to_come_back(start: Start) -> None:
    site = start(LOGIN_LIMIT_NETWORK="2 per 20 minutes")
    pages = [site.browser().open("/password/reset/none") for _ in range(3)]

    assert [page.status for page in pages] == [404, 404, 429]
    assert_error_page(pages[2], 429)
    assert 0 < int(pages[2].headers["Retry-After"]) <= 1200


def test_a_throttled_form_is_a_429_with_what_was_typed(start: Start) -> None:
    site = start(LOGIN_LIMIT_ACCOUNT="1 per 20 minutes")
    site.browser().sign_in(EMAIL, "wrong")
    page = site.browser().sign_in(EMAIL, "wrong")

    assert_page(page, 429)
    assert_headers(page)
    assert page.title.startswith("Error: ")
    assert page.form().fields["email"] == EMAIL


@pytest.mark.on_sqlite  # which does not change a value that is no date
class TestServerErrors:
    """Invalid stored data, as an example of an unexpected error."""

    @pytest.fixture
    def page(self, site: Site) -> Page:
        site.customer(EMAIL)
        run(site, "UPDATE contact SET confirmed_at = 'no date at all'")
        return site.browser().sign_in(EMAIL, PASSWORD)

    def test_a_server_error_is_a_500_without_details(self, page: Page) -> None:
        assert_error_page(page, 500)
        assert not any(word in page.text for word in ("ValueError", "no date", "argon2", ".py", "sqlite", EMAIL))

    def test_the_log_contains_the_reference_of_the_error(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        site.customer(EMAIL)
        run(site, "UPDATE contact SET confirmed_at = 'no date at all'")
        page = site.browser().sign_in(EMAIL, PASSWORD)
        reference = page.words.split("Reference: ")[1].split()[0]

        assert len(reference) == 16
        assert f"unexpected ValueError request={reference}" in caplog.text
        assert PASSWORD not in caplog.text

    def test_the_portal_keeps_working_after_an_error(self, site: Site, page: Page) -> None:
        assert page.status == 500
        assert site.browser().open("/login").status == 200


def test_a_broken_database_gets_an_error_page(site: Site) -> None:
    browser = site.customer(EMAIL)
    run(site, "ALTER TABLE identity RENAME TO elsewhere")
    page = browser.open("/account")

    assert_error_page(page, page.status)
    assert page.status in (500, 503)


def test_a_database_broken_from_the_first_request_gets_an_error_page(site: Site, start: Start) -> None:
    run(site, "ALTER TABLE organisation RENAME TO elsewhere")
    fresh = start()

    assert_error_page(fresh.browser().open("/none"), 404)
    assert_page(fresh.browser().open("/login"), 200)
    assert_error_page(fresh.browser().sign_in(EMAIL, PASSWORD), 503)


def test_a_busy_portal_is_a_503_that_says_when_to_come_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = [(browser, browser.open("/login").form()) for browser in (site.browser() for _ in range(SIGN_INS))]

    def sign_in(number: int) -> Page:
        browser, form = forms[number]
        return browser.post(form, {"email": f"a{number}@example.com", "password": "wrong"})

    pages = flood(monkeypatch, sign_in)
    assert {page.status for page in pages} == {422, 503}
    for page in pages:
        if page.status == 503:
            assert_error_page(page, 503)
            assert 0 < int(page.headers["Retry-After"]) <= 60
    assert site.browser().open("/login").status == 200


@contextmanager
def writing(site: Site) -> Iterator[None]:
    """Hold the database's write lock in another process; the portal waits for it only shortly."""
    engine = site.context.database.engine

    def be_impatient(connection: Any, *_rest: Any) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    event.listen(engine, "checkout", be_impatient)
    other = sqlite3.connect(Path(str(engine.url.database)), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()
        event.remove(engine, "checkout", be_impatient)


@pytest.mark.on_sqlite
def test_a_locked_database_is_a_503_that_says_when_to_come_back_and_nothing_is_lost(site: Site) -> None:
    signed_in, browser = site.customer(EMAIL), site.browser()
    login = browser.open("/login").form()
    register = browser.open("/register").form()
    typed = {"email": "bob@example.com", "password": PASSWORD, "first_name": "B", "last_name": "B"}
    before = site.rows()

    with writing(site):
        for form, fields in ((login, {"email": EMAIL, "password": PASSWORD}), (register, typed)):
            page = browser.post(form, fields)
            assert_error_page(page, 503)
            assert 0 < int(page.headers["Retry-After"]) <= 60
        assert browser.open("/login").status == 200
        assert signed_in.is_signed_in
        assert browser.open("/healthz").status == 200
    assert site.rows() == before
    assert browser.post(login, {"email": EMAIL, "password": PASSWORD}).status == 302


def test_readiness_is_refused_for_a_schema_that_is_not_the_codes(site: Site) -> None:
    browser = site.browser()
    run(site, "UPDATE alembic_version SET version_num = 'of_the_future'")
    page = browser.send("/readyz")

    assert (page.status, page.text) == (503, "not ready\n")
    assert_headers(page)
    assert page.headers["Retry-After"]
    assert browser.send("/healthz").status == 200
    run(site, "DROP TABLE alembic_version")
    assert browser.send("/readyz").status == 503


@pytest.mark.on_sqlite
def test_readiness_is_refused_without_a_database(site: Site, tmp_path: Path) -> None:
    Path(str(site.context.database.engine.url.database)).write_bytes(b"this is no database" * 400)

    assert site.browser().send("/readyz").status == 503
    assert site.browser().send("/healthz").status == 200
