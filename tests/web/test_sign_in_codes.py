"""Attempts to guess the codes of sign-in emails: how many are checked, and what remains valid."""

from functools import partial

import pytest

from tests.web.conftest import Site, Start, in_parallel
from tests.web.framing import Framed, allow
from tests.web.mail_sign_in import EMAIL, ask, code_for, type_code, wrong


def test_five_attempts_end_a_code_and_keep_its_link_valid(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    ask(browser)
    code = code_for(site)
    for _ in range(5):
        assert type_code(browser, wrong(code)).status == 422
    page = type_code(browser, code)
    assert page.status == 422
    assert "can't be used any more" in page.words
    assert "work for 15 minutes" not in page.words
    assert not browser.is_signed_in

    assert browser.fill(site.link(EMAIL)).status == 302


def test_a_code_sent_again_after_a_lost_answer_says_nothing_of_its_link_that_is_untrue(site: Site) -> None:
    site.customer(EMAIL)
    browser, lost = site.browser(), site.browser()
    ask(browser)
    lost.set_cookie(browser.cookie() or "")
    code, link = code_for(site), site.link(EMAIL)
    assert type_code(browser, code).location == "/account"
    page = type_code(lost, code)

    ((field, words),) = page.problems
    assert field == "code"
    assert "If the link in the same email doesn't work either, ask for a new email." in words
    assert "The email with it was already used to sign in, by its link or its code." in lost.open(link).words


@pytest.mark.parametrize("framed", [False, pytest.param(True, marks=pytest.mark.full)])
def test_after_100_wrong_codes_the_right_one_is_refused_and_the_link_unlocks_codes(start: Start, framed: bool) -> None:
    site = allow(start(BASE_URL="https://portal.example.com", MAIL_LIMIT_ADDRESS="100 per hour"))
    site.customer(EMAIL)
    stranger = site.browser("198.51.100.66")
    for _ in range(20):
        ask(stranger)
        code = code_for(site)
        assert [type_code(stranger, wrong(code)).status for _ in range(5)] == [422] * 5
    browser = Framed(site.app) if framed else site.browser()
    ask(browser)
    code = code_for(site)
    as_wrong, as_right = type_code(browser, wrong(code)), type_code(browser, code)
    assert (as_right.status, as_right.problems) == (422, as_wrong.problems)
    assert "open the link in the same email" in as_right.words
    assert not browser.is_signed_in

    assert site.browser().fill(site.link(EMAIL)).status == 302
    ask(browser)
    assert type_code(browser, code_for(site)).status == 302


@pytest.mark.differs_on_postgresql
def test_of_parallel_codes_five_are_checked(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    ask(browser)
    code = code_for(site)
    form = browser.open("/login/code").form()
    cookie = browser.cookie()
    assert cookie is not None

    def try_once(number: int) -> int:
        one = site.browser()
        one.set_cookie(cookie)
        return one.post(form, {"code": f"{(int(code) + 1 + number) % 10**6:06}"}).status

    assert set(in_parallel([partial(try_once, number) for number in range(20)])) == {422}
    assert [row["code_tries"] for row in site.rows()["link"] if row["purpose"] == "sign_in"] == [6], "and one refused"
    assert type_code(browser, code).status == 422
