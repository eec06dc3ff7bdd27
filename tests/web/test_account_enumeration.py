"""The pages reveal nothing about which addresses have an account."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

import pytest
import time_machine

from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNKNOWN, GUEST, BANNED = "unknow@example.com", "guesty@example.com", "banned@example.com"
UNVERIFIED, KNOWN, CLOSED = "unveri@example.com", "wellkn@example.com", "closed@example.com"
IMPORTED, BANNED_GUEST = "import@example.com", "bguest@example.com"
EVERYBODY = (UNKNOWN, GUEST, BANNED, UNVERIFIED, KNOWN, CLOSED)
ALL = (*EVERYBODY, IMPORTED, BANNED_GUEST)
WRONG = "five wrong geese honk"
STRANGERS = "eight odd lynxes yawn"
TOKEN = re.compile(r'(name="csrf_token" value=")[^"]+(")')


@dataclass(frozen=True)
class Seen:
    """Return all that a visitor sees of a response, without what differs for every request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[str, ...]
    body: str
    size: int


def see(page: Page, email: str) -> Seen:
    cookies = tuple(re.sub(r"^portal=[^;]+", "portal=", cookie) for cookie in page.headers.getlist("Set-Cookie"))
    headers = tuple((name, tell(name, value)) for name, value in page.headers if name != "Set-Cookie")
    body = TOKEN.sub(r"\1\2", page.text).replace(email, "ADDRESS")
    return Seen(page.status, headers, cookies, body, len(page.body))


def tell(name: str, value: str) -> str:
    """Return a header's value with each wait in minutes replaced: the attempts are milliseconds apart, and the
    storage's clock moves while the test's stands still.
    """
    return f"{ceil(int(value) / 60)} minutes" if name == "Retry-After" else value


@pytest.fixture
def crowd(start: Start) -> Site:
    """A portal with one customer of each kind, and an unknown address."""
    site = start(LOGIN_LIMIT_ACCOUNT="3 per 20 minutes", MAIL_LIMIT_ADDRESS="3 per hour")
    add_everybody(site)
    return site


def add_everybody(site: Site) -> None:
    """Add one customer of each kind."""
    site.customer(KNOWN)
    site.customer(BANNED)
    site.ban(BANNED)
    site.guest(GUEST)
    site.browser().register(UNVERIFIED, PASSWORD)
    assert site.customer(CLOSED).fill("/account/delete", {"confirm": "y"}, submit_to="/account/delete").status == 302


def look(site: Site, do: Callable[[str], Page]) -> set[Seen]:
    with time_machine.travel(NOW, tick=False):
        return {see(do(email), email) for email in EVERYBODY}


def test_a_failed_sign_in_looks_the_same_for_every_address(crowd: Site) -> None:
    for number, status in enumerate([422, 422, 422, 429, 429]):
        (seen,) = look(crowd, lambda email: crowd.browser().sign_in(email, WRONG, remember="y"))
        assert seen.status == status, number
        assert ("Retry-After" in dict(seen.headers)) == (status == 429)


def test_a_registration_looks_the_same_for_every_address(crowd: Site) -> None:
    (seen,) = look(crowd, lambda email: crowd.browser().register(email, PASSWORD))
    assert seen.status == 302

    def page_after(email: str) -> Page:
        browser = crowd.browser()
        return browser.follow(browser.register(email, PASSWORD))

    (seen,) = look(crowd, page_after)
    assert seen.status == 200


def test_registering_too_often_looks_the_same_for_every_address(start: Start) -> None:
    site = start(MAIL_LIMIT_ADDRESS="2 per hour")
    add_everybody(site)
    site.context.rate_limiter.counters.reset()

    for status in (302, 302, 429):
        (seen,) = look(site, lambda email: site.browser("198.51.100.9").register(email, PASSWORD))
        assert seen.status == status


def test_asking_for_a_reset_looks_the_same_for_every_address(crowd: Site) -> None:
    crowd.context.rate_limiter.counters.reset()

    for status in (302, 302, 302, 429, 429):
        (seen,) = look(crowd, lambda email: crowd.browser().ask_for_reset(email))
        assert seen.status == status


def test_the_page_after_asking_for_a_reset_looks_the_same_for_every_address(crowd: Site) -> None:
    def page_after(email: str) -> Page:
        browser = crowd.browser()
        return browser.follow(browser.ask_for_reset(email))

    (seen,) = look(crowd, page_after)
    assert seen.status == 200


@pytest.mark.parametrize("path", ["/login", "/register", "/password/reset"])
def test_requests_cost_the_same_work_for_every_address(crowd: Site, hashes: list[bytes], path: str) -> None:
    done = set()
    typed = {"password": WRONG, "first_name": "Ada", "last_name": "Quill"}
    for email in EVERYBODY:
        browser = crowd.browser()
        form = browser.open(path).form()
        hashes.clear()
        outbox = len(crowd.rows()["outbox"])
        with crowd.statements() as statements:
            assert browser.post(form, {**typed, "email": email}).status in (302, 422)
        done.add((len(hashes), tuple(statements), len(crowd.rows()["outbox"]) - outbox))

    assert len(done) == 1


def test_signing_in_with_a_decoy_password_looks_the_same_for_every_address(crowd: Site) -> None:
    """Register, sign in with that password, resend the email, and type a code; return each response."""
    crowd.imported(IMPORTED)
    crowd.guest(BANNED_GUEST)
    crowd.ban(BANNED_GUEST)
    browsers = {email: crowd.browser(f"198.51.100.{number}") for number, email in enumerate(ALL, 1)}
    pages: dict[str, Page] = {}

    def step(do: Callable[[Browser, str], Page], status: int) -> str:
        with time_machine.travel(NOW, tick=False):
            pages.update({email: do(browser, email) for email, browser in browsers.items()})
        (seen,) = {see(pages[email], email) for email in ALL}
        assert seen.status == status
        return seen.body

    step(lambda browser, email: browser.register(email, STRANGERS), 302)
    browsers = {email: crowd.browser(browser.address) for email, browser in browsers.items()}
    assert "confirm your email address first" in step(lambda browser, email: browser.sign_in(email, STRANGERS), 422)
    step(lambda browser, email: browser.post(pages[email].form("/register/resend")), 302)
    assert "sent the email again" in step(lambda browser, email: browser.follow(pages[email]), 200)
    step(lambda browser, email: browser.post(pages[email].form("/register/code"), {"code": "000000"}), 422)
    assert "confirm your email address first" not in step(lambda browser, email: browser.sign_in(email, WRONG), 422)
    assert "confirm your email address first" in step(lambda browser, email: browser.sign_in(email, STRANGERS), 422)


def test_signing_in_with_a_decoy_password_costs_the_same_work(crowd: Site, hashes: list[bytes]) -> None:
    crowd.imported(IMPORTED)
    crowd.guest(BANNED_GUEST)
    crowd.ban(BANNED_GUEST)
    done = set()
    for number, email in enumerate(ALL, 1):
        crowd.browser(f"198.51.100.{number}").register(email, STRANGERS)
        browser = crowd.browser(f"198.51.100.{number}")
        form = browser.open("/login").form()
        hashes.clear()
        outbox = len(crowd.rows()["outbox"])
        with crowd.statements() as statements:
            page = browser.post(form, {"email": email, "password": STRANGERS})
            assert browser.post(page.form("/register/resend")).status == 302
        done.add((len(hashes), tuple(statements), len(crowd.rows()["outbox"]) - outbox))

    assert len(done) == 1


def test_a_ban_or_a_missing_confirmation_is_shown_after_the_right_password(crowd: Site) -> None:
    assert "has been closed" in crowd.browser().sign_in(BANNED, PASSWORD).words
    assert "confirm your email address first" in crowd.browser().sign_in(UNVERIFIED, PASSWORD).words
    assert not any(
        "not confirmed" in crowd.browser().sign_in(email, PASSWORD).words for email in (UNKNOWN, GUEST, CLOSED)
    )


def test_a_reset_is_emailed_to_known_customers_who_are_not_banned(crowd: Site) -> None:
    before = len(crowd.mails())
    for email in EVERYBODY:
        crowd.browser().ask_for_reset(email)

    assert sorted(mail["To"] for mail in crowd.mails()[before:]) == sorted([GUEST, UNVERIFIED, KNOWN])


def test_a_banned_customer_and_a_guest_cannot_sign_in_by_any_form(crowd: Site) -> None:
    browser = crowd.browser()
    assert browser.sign_in(BANNED, PASSWORD).status == 422
    crowd.browser().register(BANNED, PASSWORD)
    assert crowd.browser().sign_in(BANNED, PASSWORD).status == 422
    assert crowd.browser().sign_in(GUEST, PASSWORD).status == 422
    confirm, closed = [mail["Subject"] for mail in crowd.mails(BANNED)]
    assert confirm.startswith("Confirm your email address")
    assert closed == "Your Customer portal account was closed"


def test_an_attacker_who_registers_a_victims_address_gains_nothing(site: Site) -> None:
    attacker, victim = site.browser("198.51.100.66"), site.browser()
    attacker.register("victim@example.com", "the attackers own words")
    link = site.link("victim@example.com")

    asked = victim.open(link)
    assert "password" in asked.form().fields
    assert victim.fill(link, {"password": PASSWORD}).status == 422
    victim.ask_for_reset("victim@example.com")
    assert victim.fill(site.link("victim@example.com"), {"password": PASSWORD}).status == 302
    assert attacker.sign_in("victim@example.com", "the attackers own words").status == 422
    assert victim.is_signed_in
    assert attacker.open(link).status == 410
