"""The pages of links in emails can be reloaded, and a reset form can be sent again by its browser."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine

from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site, in_parallel
from tests.web.expectations import assert_error_page

EMAIL = "ada@example.com"
SECOND, THIRD = "nine grey otters swim", "four red foxes sleep"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def confirming(site: Site) -> tuple[Browser, str, str, str]:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    return browser, site.link(EMAIL), "/register/confirm", "/register/code"


def resetting(site: Site) -> tuple[Browser, str, str, str]:
    site.customer(EMAIL)
    site.browser().ask_for_reset(EMAIL)
    return site.browser(), site.link(EMAIL), "/password/new", "/password/reset"


def signing_in(site: Site) -> tuple[Browser, str, str, str]:
    site.customer(EMAIL)
    site.browser().fill("/login/link", {"email": EMAIL})
    return site.browser(), site.link(EMAIL), "/login/confirm", "/login/link"


LINKS = pytest.mark.parametrize("make", [confirming, resetting, signing_in], ids=lambda make: make.__name__)
Make = Callable[[Site], tuple[Browser, str, str, str]]


class TestReloading:
    """The page's script removes the token from the address bar, but the page can be reloaded."""

    @LINKS
    def test_the_address_without_the_token_shows_the_page_of_the_link_opened_last(self, site: Site, make: Make) -> None:
        browser, link, path, request_path = make(site)
        assert browser.send(path).location == request_path
        page = browser.open(link)
        assert page.tree.one("main").get("data-clean-path") == path

        for _ in range(2):
            again = browser.open(path)
            assert (again.status, again.words) == (200, page.words)
            assert again.form().action == link
        refused = browser.fill(path, {"password": "short"}) if "password" in page.form().fields else None
        if refused:
            assert refused.status == 422
            assert browser.open(path).words == page.words
        assert browser.fill(path, {"password": SECOND}).location == "/account"
        assert browser.send(path).location == ("/account" if make is resetting else request_path)

    @LINKS
    def test_reloading_a_link_that_ended_says_so(self, site: Site, make: Make) -> None:
        browser, link, path, _ = make(site)
        browser.open(link)
        site.ban(EMAIL)
        assert_error_page(browser.open(path), 410)
        assert "Cookie" in browser.open(path).headers["Vary"]

    @LINKS
    def test_the_link_page_without_an_opened_link_is_not_found(self, site: Site, make: Make) -> None:
        _, link, path, request_path = make(site)
        site.browser().open(link)
        assert site.browser().send(path).location == request_path
        assert site.browser().send(path, "POST").status in (400, 405)


class TestResetting:
    def test_a_reset_signs_in_and_signs_out_every_other_browser(self, site: Site) -> None:
        other = site.customer(EMAIL)
        browser = site.browser()
        browser.ask_for_reset(EMAIL)
        link = site.link(EMAIL)
        answer = browser.fill(link, {"password": SECOND})

        assert answer.location == "/account"
        assert browser.follow(answer).notices == [
            "Your new password is set and you're signed in. All your other devices have been signed out."
        ]
        assert browser.is_signed_in
        assert not other.is_signed_in
        assert site.mails(EMAIL)[-1]["Subject"].endswith("was changed")

    def test_the_same_form_sent_again_by_the_same_browser_gets_the_same_answer(self, site: Site) -> None:
        browser, link, _, _ = resetting(site)
        form = browser.open(link).form()
        before = browser.cookie()
        assert before is not None
        first = browser.post(form, {"password": SECOND})
        rows = site.rows()
        lost = site.browser()  # with the cookies of the request, since the response never came
        lost.set_cookie(before)
        again = lost.post(form, {"password": SECOND})

        assert (again.status, again.location) == (first.status, first.location) == (302, "/account")
        assert "new password is set" in lost.open("/account").words
        assert not browser.is_signed_in
        assert [row["ended_at"] for row in site.rows()["identity"]].count(None) == 1
        assert (site.rows()["account"], site.rows()["outbox"]) == (rows["account"], rows["outbox"])

    def test_a_reset_form_sent_again_after_its_answer_gets_the_same_answer(self, site: Site) -> None:
        browser, link, _, _ = resetting(site)
        form = browser.open(link).form()
        browser.post(form, {"password": SECOND})

        assert browser.post(form, {"password": SECOND}).location == "/account"
        assert browser.send(link).location == "/account"
        assert browser.is_signed_in

    def test_a_different_reset_form_does_not_count_as_a_repeat(self, site: Site) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            browser, link, _, _ = resetting(site)
            late = site.browser()
            late_form = late.open(link).form()
            form = browser.open(link).form()
            before = browser.cookie() or ""
            browser.post(form, {"password": SECOND})

            def again(password: str) -> int:
                lost = site.browser()
                lost.set_cookie(before)
                return lost.post(form, {"password": password}).status

            assert late.post(late_form, {"password": SECOND}).status == 410
            assert [again(password) for password in (THIRD, PASSWORD, "", "short")] == [410] * 4
            clock.shift(timedelta(minutes=10))
            assert again(SECOND) == 410
            assert browser.is_signed_in

    def test_a_reset_form_is_not_repeated_after_its_session_ended(self, site: Site) -> None:
        browser, link, _, _ = resetting(site)
        form = browser.open(link).form()
        before = browser.cookie() or ""
        browser.post(form, {"password": SECOND})
        browser.sign_out()
        lost = site.browser()
        lost.set_cookie(before)

        assert lost.post(form, {"password": SECOND}).status == 410
        assert not lost.is_signed_in

    def test_parallel_reset_forms_set_one_password_and_leave_one_session(self, site: Site) -> None:
        browser, link, _, _ = resetting(site)
        form = browser.open(link).form()
        twins = [site.browser() for _ in range(6)]
        for twin in twins:
            twin.set_cookie(browser.cookie() or "")
        pages = in_parallel([partial(twin.post, form, {"password": SECOND}) for twin in twins])

        assert {page.status for page in pages} <= {302, 503}
        assert [twin.is_signed_in for twin in twins].count(True) == 1
        assert len(site.rows()["former_password"]) == 1

    def test_a_reset_to_the_current_password_signs_in(self, site: Site) -> None:
        other = site.customer(EMAIL)
        browser = site.browser()
        browser.ask_for_reset(EMAIL)
        rows, mails = site.rows(), len(site.mails(EMAIL))
        link = site.link(EMAIL)
        answer = browser.fill(link, {"password": PASSWORD})

        assert answer.location == "/account"
        assert browser.follow(answer).notices == [
            "This password is set already. You're signed in, and all your other devices have been signed out."
        ]
        assert not other.is_signed_in
        assert [mail["Subject"] for mail in site.mails(EMAIL)[mails:]] == [
            "New sign-in to your Customer portal account"
        ]
        assert (site.rows()["account"], site.rows()["former_password"]) == (rows["account"], [])
        assert_error_page(site.browser().open(link), 410)

    def test_another_password_in_a_second_tab_is_said_not_to_be_saved(self, site: Site) -> None:
        site.customer(EMAIL)
        browser = site.browser()
        browser.ask_for_reset(EMAIL)
        form = browser.open(site.link(EMAIL)).form()
        assert browser.post(form, {"password": SECOND}).location == "/account"
        answer = browser.post(form, {"password": "five slow snails race"})
        assert browser.follow(answer).notices == [
            "This link had already set a new password. What you entered now was not saved."
        ]
        assert site.browser().sign_in(EMAIL, SECOND).status == 302

    def test_a_former_password_is_refused(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        typed = {"current_password": PASSWORD, "password": SECOND}
        browser.fill("/account/password", typed, submit_to="/account/password")
        browser.ask_for_reset(EMAIL)
        page = site.browser().fill(site.link(EMAIL), {"password": PASSWORD})

        assert (page.status, page.problems[0][0]) == (422, "password")
        assert "used this password before" in page.problems[0][1]
