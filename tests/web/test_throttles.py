"""Rate limits on the pages, and the messages above them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil

import pytest

from tests.passing_time import passing_time
from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site, Start

EMAIL = "ada@example.com"
SECOND = "nine grey otters swim"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def statuses(count: int, do: Callable[[int], Page]) -> list[int]:
    return [do(number).status for number in range(count)]


def wait_of(page: Page) -> int:
    assert page.status == 429
    return int(page.headers["Retry-After"])


def test_the_eleventh_wrong_password_for_an_address_is_refused_wherever_it_comes_from(
    site: Site, hashes: list[bytes]
) -> None:
    site.customer(EMAIL)
    hashes.clear()

    assert (
        statuses(12, lambda n: site.browser(f"192.0.2.{n + 1}").sign_in(EMAIL, f"wrong {n}")) == [422] * 10 + [429] * 2
    )
    assert len(hashes) == 10
    refused = site.browser("198.51.100.1").sign_in(EMAIL, PASSWORD)
    assert 0 < wait_of(refused) <= 20 * 60
    minutes = ceil(wait_of(refused) / 60)
    words = f"Too many attempts. Try again in {minutes} minutes. You can also sign in by email."
    assert refused.problems == [("", words)]
    assert len(hashes) == 10


@pytest.mark.on_sqlite  # this test moves the time, and Redis has a clock of its own
def test_the_block_ends_at_the_stated_time(site: Site) -> None:
    site.customer(EMAIL)
    with passing_time(NOW) as clock:
        statuses(10, lambda _: site.browser().sign_in(EMAIL, "wrong"))
        clock.shift(timedelta(minutes=5))
        wait = wait_of(site.browser().sign_in(EMAIL, PASSWORD))
        assert wait == 15 * 60
        clock.shift(timedelta(seconds=wait - 1))
        assert site.browser().sign_in(EMAIL, PASSWORD).status == 429
        clock.shift(timedelta(seconds=1))
        assert site.browser().sign_in(EMAIL, PASSWORD).status == 302


def test_a_reset_works_during_the_block_and_resets_the_failed_password_counter(site: Site) -> None:
    site.customer(EMAIL)
    statuses(11, lambda _: site.browser("198.51.100.1").sign_in(EMAIL, "wrong"))
    owner = site.browser()
    assert owner.ask_for_reset(EMAIL).status == 302
    assert owner.fill(site.link(EMAIL), {"password": SECOND}).status == 302

    assert [row["failed_passwords"] for row in site.rows()["contact"]] == [0]
    assert site.browser().sign_in(EMAIL, SECOND).status == 302


def test_unknown_addresses_are_counted_as_known_ones_are(site: Site) -> None:
    assert statuses(11, lambda _: site.browser().sign_in("nobody@example.com", "wrong")) == [422] * 10 + [429]


def test_a_success_does_not_clear_counters_of_others(site: Site) -> None:
    site.customer(EMAIL)
    site.customer("eve@example.com")
    for _ in range(5):
        assert statuses(2, lambda _: site.browser().sign_in(EMAIL, "wrong")) == [422, 422]
        assert site.browser().sign_in("eve@example.com", PASSWORD).status == 302

    assert site.browser().sign_in(EMAIL, "wrong").status == 429


def test_right_passwords_are_not_counted(site: Site) -> None:
    site.customer(EMAIL)

    assert statuses(12, lambda _: site.browser().sign_in(EMAIL, PASSWORD)) == [302] * 12


def test_spellings_of_one_gmail_address_share_a_counter(site: Site) -> None:
    spellings = ["ada.quill@gmail.com", "ADAQUILL@gmail.com", "a.d.a.quill+x@googlemail.com", " adaquill+y@GMAIL.com "]

    assert statuses(12, lambda n: site.browser().sign_in(spellings[n % 4], "wrong")) == [422] * 10 + [429] * 2
    assert site.browser().sign_in("ada.quill@example.com", "wrong").status == 422
    asked = statuses(6, lambda n: site.browser().ask_for_reset(spellings[n % 4]))
    assert asked == [302] * 5 + [429]


def test_spellings_of_one_gmail_address_are_one_customer_emailed_at_the_first(site: Site) -> None:
    site.customer("ada.quill+shop@gmail.com")
    site.browser().register("adaquill@googlemail.com", SECOND)

    assert site.mails()[-1]["Subject"].startswith("You already have an account")
    assert site.mails()[-1]["To"] == "ada.quill+shop@gmail.com"
    assert site.browser().sign_in("AdaQuill@gmail.com", PASSWORD).status == 302


def test_wrong_passwords_from_one_network_are_counted_over_all_addresses(start: Start) -> None:
    site = start(LOGIN_LIMIT_NETWORK="5 per 20 minutes")
    browser = site.browser("203.0.113.5")

    assert statuses(6, lambda n: browser.sign_in(f"a{n}@example.com", "wrong")) == [422] * 5 + [429]
    assert 0 < wait_of(browser.sign_in(EMAIL, "wrong")) <= 1200
    assert site.browser("203.0.113.6").sign_in(EMAIL, "wrong").status == 422


def test_a_blocked_network_does_not_use_up_the_attempts_of_an_address(start: Start) -> None:
    site = start(LOGIN_LIMIT_NETWORK="5 per 20 minutes")
    site.customer(EMAIL)
    statuses(30, lambda _: site.browser("203.0.113.5").sign_in(EMAIL, "wrong"))

    assert site.browser("198.51.100.1").sign_in(EMAIL, PASSWORD).status == 302


@pytest.mark.parametrize("known", [True, False])
def test_the_current_password_shares_the_counter_of_the_sign_in(site: Site, known: bool) -> None:
    browser = site.customer(EMAIL)
    other = site.browser()
    if known:
        other.set_cookie(browser.cookie("device") or "", "device")
    else:
        browser.set_cookie("", "device")
    typed = {"current_password": "wrong", "password": SECOND}

    def change(_number: int) -> Page:
        return browser.fill("/account/password", typed, submit_to="/account/password")

    assert statuses(6, change) == [422] * 6
    assert statuses(5, lambda _: other.sign_in(EMAIL, "wrong")) == [422] * 4 + [429]
    assert wait_of(browser.fill("/account/password", typed, submit_to="/account/password")) > 0


def test_a_wrong_password_at_confirmation_is_counted(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    link = site.link(EMAIL)

    assert statuses(11, lambda _: site.browser().fill(link, {"password": "wrong"})) == [422] * 10 + [429]
    assert site.browser().fill(link, {"password": PASSWORD}).status == 429
    assert site.browser().open(link).status == 200


def test_new_passwords_tried_with_one_link_are_counted(site: Site) -> None:
    browser = site.customer(EMAIL)
    typed = {"current_password": PASSWORD, "password": SECOND}
    assert browser.fill("/account/password", typed, submit_to="/account/password").status == 302
    browser.ask_for_reset(EMAIL)
    link = site.link(EMAIL)

    assert statuses(11, lambda _: site.browser().fill(link, {"password": PASSWORD})) == [422] * 10 + [429]


def test_100_wrong_passwords_in_a_row_lock_the_password_until_the_mailbox_is_proven(start: Start) -> None:
    site = start(LOGIN_LIMIT_ACCOUNT="1000 per 20 minutes")
    site.customer(EMAIL)
    wrong = statuses(100, lambda n: site.browser(f"198.51.100.{n}").sign_in(EMAIL, "wrong"))
    assert wrong == [422] * 100

    with_the_right_one = site.browser().sign_in(EMAIL, PASSWORD)
    with_a_wrong_one = site.browser().sign_in(EMAIL, "wrong")
    assert (with_the_right_one.status, with_the_right_one.problems) == (422, with_a_wrong_one.problems)
    site.browser().ask_for_reset(EMAIL)
    assert site.browser().fill(site.link(EMAIL), {"password": SECOND}).status == 302
    assert site.browser().sign_in(EMAIL, SECOND).status == 302


@pytest.mark.full
def test_a_right_password_resets_the_failed_password_counter(start: Start) -> None:
    site = start(LOGIN_LIMIT_ACCOUNT="1000 per 20 minutes", LOGIN_LIMIT_NETWORK="1000 per 20 minutes")
    site.customer(EMAIL)

    for _ in range(2):
        statuses(60, lambda _: site.browser().sign_in(EMAIL, "wrong"))
        assert site.browser().sign_in(EMAIL, PASSWORD).status == 302


@pytest.mark.differs_on_postgresql
def test_registrations_from_one_network_are_limited(site: Site) -> None:
    def register(number: int) -> Page:
        return site.browser("203.0.113.5").register(f"a{number}@example.com", PASSWORD)

    assert statuses(21, register) == [302] * 20 + [429]
    assert 0 < wait_of(register(30)) <= 3600
    assert site.browser("203.0.113.6").register(EMAIL, PASSWORD).status == 302
    assert len(site.mails()) == 21


def test_emails_to_one_address_are_limited_separately_for_sign_in_and_registration(site: Site) -> None:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    assert statuses(4, lambda _: browser.fill("/register/code", submit_to="/register/resend")) == [302] * 4
    assert wait_of(browser.fill("/register/code", submit_to="/register/resend")) > 0
    assert wait_of(site.browser().register(EMAIL, PASSWORD)) > 0

    assert statuses(3, lambda n: site.browser(f"198.51.100.{n}").ask_for_reset(EMAIL)) == [302] * 3
    assert statuses(2, lambda _: site.browser().fill("/login/link", {"email": EMAIL})) == [302] * 2
    assert 0 < wait_of(site.browser("198.51.100.2").ask_for_reset(EMAIL)) <= 3600
    assert wait_of(site.browser().fill("/login/link", {"email": EMAIL})) > 0
    assert len(site.mails(EMAIL)) == 10


def test_the_last_email_of_an_hour_is_reserved_for_another_network(site: Site) -> None:
    strangers = site.browser("198.51.100.66")
    assert statuses(6, lambda _: strangers.register(EMAIL, PASSWORD)) == [302] * 5 + [429]
    assert statuses(6, lambda _: strangers.ask_for_reset(EMAIL)) == [302] * 5 + [429]

    assert site.browser().register(EMAIL, PASSWORD).status == 302
    assert site.browser().fill("/login/link", {"email": EMAIL}).status == 302
    assert wait_of(site.browser().register(EMAIL, PASSWORD)) > 0
    assert wait_of(site.browser("203.0.113.99").ask_for_reset(EMAIL)) > 0


@pytest.mark.parametrize("form", ["reset", "register"])
def test_emails_asked_for_by_one_network_are_limited(start: Start, form: str) -> None:
    site = start(MAIL_LIMIT_NETWORK="4 per hour")
    browser = site.browser()

    def ask(number: int) -> Page:
        email = f"a{number}@example.com"
        return browser.ask_for_reset(email) if form == "reset" else browser.register(email, PASSWORD)

    assert statuses(5, ask) == [302] * 4 + [429]
    assert 0 < wait_of(ask(9)) <= 3600


def test_notices_of_security_events_are_not_counted(start: Start) -> None:
    site = start(MAIL_LIMIT_ADDRESS="1 per hour", MAIL_LIMIT_NETWORK="1 per hour")
    browser = site.customer(EMAIL)
    old = PASSWORD
    for number in range(4):
        new = f"{SECOND} {number}"
        changed = browser.fill(
            "/account/password", {"current_password": old, "password": new}, submit_to="/account/password"
        )
        assert changed.status == 302
        old = new

    assert len([mail for mail in site.mails(EMAIL) if mail["Subject"].endswith("was changed")]) == 4


def test_invalid_links_are_limited_by_network_and_valid_ones_are_not(site: Site) -> None:
    site.customer(EMAIL).ask_for_reset(EMAIL)
    guesser = site.browser("203.0.113.5")
    paths = ("/password/reset/", "/register/verify/")
    guesses = statuses(102, lambda n: guesser.send(paths[n % 2] + f"{n}." + "x" * 60))

    assert guesses == [404] * 100 + [429] * 2
    assert site.browser("203.0.113.6").send("/password/reset/none").status == 404
    assert statuses(3, lambda _: guesser.send(site.link(EMAIL))) == [200] * 3
